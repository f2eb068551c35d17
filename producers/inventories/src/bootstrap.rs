//! Facts a run learns about its surroundings before any checker is built. Facts, not clients.

/// What is known before checkers run. Immutable once made; unknown facts are absent, never guessed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bootstrap {
    /// AWS account of the credentials in use.
    pub aws_account_id: Option<String>,
    /// AWS partition of that account: `aws`, `aws-cn`, `aws-us-gov`.
    pub aws_partition: Option<String>,
    /// Account that pays for it; the account itself where it is not known.
    pub aws_billing_account_id: Option<String>,
}

impl Bootstrap {
    /// From the ARN that the provider names the caller by, such as `arn:aws:sts::111122223333:assumed-role/x/y`.
    #[must_use]
    pub fn from_caller_arn(arn: &str) -> Self {
        let mut parts = arn.split(':');
        let partition = parts.nth(1).map(str::to_owned);
        let account = parts.nth(2).map(str::to_owned);
        Self { aws_billing_account_id: account.clone(), aws_account_id: account, aws_partition: partition }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_partition_and_account() {
        let facts = Bootstrap::from_caller_arn("arn:aws-cn:sts::111122223333:assumed-role/x/y");
        assert_eq!(facts.aws_account_id.as_deref(), Some("111122223333"));
        assert_eq!(facts.aws_partition.as_deref(), Some("aws-cn"));
        assert_eq!(Bootstrap::from_caller_arn("x").aws_account_id, None);
    }
}
