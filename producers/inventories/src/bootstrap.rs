//! Facts a run learns about its surroundings before any checker is built. Facts, not clients.

/// What is known of the account that a checker looks at, before it runs; nothing, for checkers over bills. Immutable once made;
/// unknown facts are absent, never guessed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bootstrap {
    /// The account: of AWS, a subscription of Azure, a project of Google Cloud.
    pub account_id: Option<String>,
    /// Partition of the provider that it is in: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: Option<String>,
    /// Account that pays for it; the account itself where it is not known.
    pub billing_account_id: Option<String>,
    /// Its regions that the run looks at, in order.
    pub regions: Vec<String>,
}

impl Bootstrap {
    /// From the ARN that the provider names the caller by, such as `arn:aws:sts::111122223333:assumed-role/x/y`.
    #[must_use]
    pub fn from_caller_arn(arn: &str) -> Self {
        let mut parts = arn.split(':');
        let partition = parts.nth(1).map(str::to_owned);
        let account = parts.nth(2).map(str::to_owned);
        Self { billing_account_id: account.clone(), account_id: account, partition, regions: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_partition_and_account() {
        let facts = Bootstrap::from_caller_arn("arn:aws-cn:sts::111122223333:assumed-role/x/y");
        assert_eq!(facts.account_id.as_deref(), Some("111122223333"));
        assert_eq!(facts.partition.as_deref(), Some("aws-cn"));
        assert_eq!(Bootstrap::from_caller_arn("x").account_id, None);
    }
}
