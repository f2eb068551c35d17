//! What a run covered, for its summary: how many checkers saw all of their scope, and which did not, with the reasons.

use std::collections::BTreeMap;
use std::fmt;

use contracts::run_manifest::{RunManifest, RunStatus, ScopeOutcome};
use serde::Serialize;

/// Outcomes of checkers, each in one account and region.
#[derive(Debug, Default, Serialize)]
pub struct Scopes {
    found_something: u64,
    silent: u64,
    partial: Vec<NotWhole>,
    skipped: Vec<NotWhole>,
    failed: Vec<NotWhole>,
}

/// A checker that did not see all of an account and region.
#[derive(Debug, Serialize)]
struct NotWhole {
    checker: String,
    account_id: String,
    region: String,
    reason: String,
}

impl Scopes {
    pub fn of(manifest: &RunManifest) -> Self {
        let mut all = Self::default();
        for scope in &manifest.scopes {
            match scope.status {
                RunStatus::Complete if scope.findings > 0 => all.found_something += 1,
                RunStatus::Complete => all.silent += 1,
                RunStatus::Partial => all.partial.push(NotWhole::of(scope)),
                RunStatus::Skipped => all.skipped.push(NotWhole::of(scope)),
                RunStatus::Failed => all.failed.push(NotWhole::of(scope)),
            }
        }
        all
    }
}

impl NotWhole {
    fn of(scope: &ScopeOutcome) -> Self {
        let ScopeOutcome { checker, account_id, region, reason, .. } = scope;
        let (checker, reason) = (checker.clone(), reason.clone());
        Self { checker, account_id: account_id.clone(), region: region.clone(), reason }
    }
}

/// The checker, and the account and region that it is bound to.
impl fmt::Display for NotWhole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.checker)?;
        match (&*self.account_id, &*self.region) {
            ("*", _) => Ok(()),
            (account, "global" | "*") => write!(f, " in {account}"),
            (account, region) => write!(f, " in {account} {region}"),
        }
    }
}

/// Nothing when no checker ran; one line for each reason.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found_something, silent, partial, skipped, failed } = self;
        if *found_something + *silent == 0 && partial.is_empty() && skipped.is_empty() && failed.is_empty() {
            return Ok(());
        }
        writeln!(f, "Checkers    {found_something} found something, {silent} found nothing")?;
        for (what, list) in [("partial", partial), ("skipped", skipped), ("failed", failed)] {
            let mut by_reason: BTreeMap<&str, Vec<&NotWhole>> = BTreeMap::new();
            list.iter().for_each(|one| by_reason.entry(&one.reason).or_default().push(one));
            for (reason, same) in by_reason {
                match same.as_slice() {
                    [one] => writeln!(f, "            {what}: {one}: {reason}")?,
                    [first, others @ ..] => {
                        writeln!(f, "            {what}: {first} and {} more: {reason}", others.len())?;
                    }
                    [] => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_whole(checker: &str, account: &str, region: &str, reason: &str) -> NotWhole {
        let [checker, account_id, region, reason] = [checker, account, region, reason].map(str::to_owned);
        NotWhole { checker, account_id, region, reason }
    }

    #[test]
    fn one_reason_is_one_line() {
        let no_credentials = "no AWS credentials are configured";
        let scopes = Scopes {
            found_something: 2,
            silent: 1,
            skipped: vec![not_whole("a", "*", "global", no_credentials), not_whole("b", "*", "global", no_credentials)],
            partial: vec![not_whole("c", "111122223333", "eu-west-3", "denied: ec2:DescribeVolumes")],
            failed: vec![not_whole("d", "111122223333", "global", "bug: boom")],
        };
        let lines = [
            "Checkers    2 found something, 1 found nothing",
            "            partial: c in 111122223333 eu-west-3: denied: ec2:DescribeVolumes",
            "            skipped: a and 1 more: no AWS credentials are configured",
            "            failed: d in 111122223333: bug: boom\n",
        ];
        assert_eq!(scopes.to_string(), lines.join("\n"));
        assert_eq!(Scopes::default().to_string(), "");
    }
}
