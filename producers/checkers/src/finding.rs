//! What a checker says: a finding without run facts, in the contract's words. Pure data; the runner adds the facts of the run.

use std::collections::BTreeMap;

use contracts::draft::{Estimated, Link, Scope, Severity, Status};
use contracts::number::Micros;
use contracts::text;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// One finding of one checker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check; must be one that the checker declares.
    pub check_id: &'static str,
    /// What it is about.
    pub scope: Scope,
    /// What it came to.
    pub status: Status,
    /// How much it matters.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What was seen, with figures.
    pub message: String,
    /// What to do.
    pub advice: String,
    /// How to do it, step by step.
    pub remediation: String,
    /// Where to look further.
    pub links: Vec<Link>,
    /// What makes it this issue and no other, beyond check and scope. Stable facts only: a measured number here
    /// would make it a new issue each run.
    pub issue_key: BTreeMap<String, String>,
    /// Money.
    pub estimated: Estimated,
    /// Currency of the money, `None` for the run's default.
    pub currency: Option<String>,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
    /// Labels of the finding itself, as against tags of the resource.
    pub labels: BTreeMap<String, String>,
    /// Figures and facts behind it, as text.
    pub dimensions: BTreeMap<String, String>,
    /// Measured numbers behind it, stored with six decimals.
    pub metrics: BTreeMap<String, Decimal>,
    /// Amount a month, in US dollars, below which it is summed up with others like it; `None` for that of all checks. Not published.
    pub own_line_min_usd: Option<Decimal>,
}

/// A member of a finding is not as the contract stores it, or not as people can use it. Named as in the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindingError {
    /// A measured number is too large to be stored.
    #[error("metrics[{name}] is {value}: a stored number is within ±999999999999.999999")]
    MetricRange {
        /// Name.
        name: String,
        /// Value.
        value: Decimal,
    },
    /// A member is blank that must not be.
    #[error("{0} is blank")]
    Blank(String),
    /// A link that is not for browsers.
    #[error("links[{index}].url is {url:?}: it must begin with https://")]
    LinkUrl {
        /// Place in the list, 0 is the first.
        index: usize,
        /// As set.
        url: String,
    },
}

impl Finding {
    /// A finding with nothing but what every finding has.
    #[must_use]
    pub fn new(check_id: &'static str, scope: Scope, status: Status, severity: Severity) -> Self {
        Self {
            check_id,
            scope,
            status,
            severity,
            title: String::new(),
            message: String::new(),
            advice: String::new(),
            remediation: String::new(),
            links: Vec::new(),
            issue_key: BTreeMap::new(),
            estimated: Estimated::default(),
            currency: None,
            tags: BTreeMap::new(),
            labels: BTreeMap::new(),
            dimensions: BTreeMap::new(),
            metrics: BTreeMap::new(),
            own_line_min_usd: None,
        }
    }

    /// Title, message and advice.
    #[must_use]
    pub fn text(mut self, title: impl Into<String>, message: impl Into<String>, advice: impl Into<String>) -> Self {
        self.title = title.into();
        self.message = message.into();
        self.advice = advice.into();
        self
    }

    /// With the amount a month, in US dollars, below which it is summed up with others like it.
    #[must_use]
    pub fn own_line_from(mut self, usd: Decimal) -> Self {
        self.own_line_min_usd = Some(usd);
        self
    }

    /// Adds a stable fact to the issue key.
    #[must_use]
    pub fn issue(mut self, key: &str, value: impl Into<String>) -> Self {
        self.issue_key.insert(key.to_owned(), value.into());
        self
    }

    /// Adds a figure or fact.
    #[must_use]
    pub fn dimension(mut self, key: &str, value: impl ToString) -> Self {
        self.dimensions.insert(key.to_owned(), value.to_string());
        self
    }

    /// Adds a measured number. It may change from run to run, so it is never part of the issue key.
    #[must_use]
    pub fn metric(mut self, name: &str, value: impl Into<Decimal>) -> Self {
        self.metrics.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a label of the finding.
    #[must_use]
    pub fn label(mut self, key: &str, value: impl Into<String>) -> Self {
        self.labels.insert(key.to_owned(), value.into());
        self
    }

    /// Adds a page where a person finds more. `url` begins with `https://`.
    #[must_use]
    pub fn link(mut self, label: impl Into<String>, url: impl Into<String>) -> Self {
        self.links.push(Link { label: label.into(), url: url.into() });
        self
    }

    /// Sets the steps that resolve it.
    #[must_use]
    pub fn remediation(mut self, steps: impl Into<String>) -> Self {
        self.remediation = steps.into();
        self
    }

    /// Sets the money.
    #[must_use]
    pub fn estimated(mut self, estimated: Estimated) -> Self {
        self.estimated = estimated;
        self
    }

    /// What its fingerprint is made of, beside the tenant: findings that agree in it are one (`contracts::identity`).
    #[must_use]
    pub fn identity(&self) -> Vec<String> {
        let Scope {
            account_id,
            billing_account_id,
            cloud,
            region,
            resource_type,
            service,
            resource_arn,
            resource_id,
            ..
        } = &self.scope;
        let folded = [account_id, billing_account_id, cloud, region, resource_type, service];
        let exact = [resource_arn, resource_id].map(String::as_str);
        let exact = exact.into_iter().chain(self.issue_key.iter().flat_map(|(key, value)| [key.as_str(), value]));
        let mut identity = vec![self.check_id.to_owned()];
        identity.extend(folded.map(|text| text::lower(text::trim(text)).into_owned()));
        identity.extend(exact.map(|text| text::trim(text).to_owned()));
        identity
    }

    /// Looks for members that would become a dead letter, or that no person could use.
    ///
    /// # Errors
    /// The first one there is.
    pub fn check(&self) -> Result<(), FindingError> {
        let (metrics, labels, dimensions) = (self.metrics.keys(), self.labels.keys(), self.dimensions.keys());
        let names = metrics.map(|name| ("metrics", name)).chain(labels.map(|name| ("labels", name)));
        let mut names = names.chain(dimensions.map(|name| ("dimensions", name)));
        if let Some((field, _)) = names.find(|(_, name)| name.trim().is_empty()) {
            return Err(FindingError::Blank(format!("a name in {field}")));
        }
        if let Some((name, value)) = self.metrics.iter().find(|(_, value)| !is_stored(**value)) {
            return Err(FindingError::MetricRange { name: name.clone(), value: *value });
        }
        for (index, link) in self.links.iter().enumerate() {
            if link.label.trim().is_empty() {
                return Err(FindingError::Blank(format!("links[{index}].label")));
            }
            // The dashboard shows it as a link: no other scheme may run there.
            if !link.url.starts_with("https://") {
                return Err(FindingError::LinkUrl { index, url: link.url.clone() });
            }
        }
        Ok(())
    }
}

/// True of a number that fits decimal(18,6) after it was rounded, half to even.
fn is_stored(value: Decimal) -> bool {
    let micros = value.round_dp(6).checked_mul(Decimal::from(1_000_000));
    micros.and_then(|micros| micros.to_i64()).and_then(Micros::new).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::severity;

    fn finding() -> Finding {
        Finding::new("a.b", Scope::default(), Status::Fail, severity::UNKNOWN)
    }

    #[track_caller]
    fn check(finding: Finding, expected: Result<(), &str>) {
        assert_eq!(finding.check().map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn what_the_contract_stores_is_accepted() {
        let largest: Decimal = "999999999999.999999".parse().unwrap();
        let whole = finding()
            .metric("cpu_p95", "12.3456785".parse::<Decimal>().unwrap())
            .metric("bytes", largest)
            .metric("delta", -largest)
            .metric("rounded", "999999999999.9999994".parse::<Decimal>().unwrap())
            .label("confidence", "")
            .link("volume", "https://console.aws.amazon.com/ec2/home#Volumes")
            .remediation("1. Take a snapshot.\n2. Delete the volume.");
        check(whole, Ok(()));
        check(finding(), Ok(()));
    }

    #[test]
    fn what_it_does_not_is_named() {
        let over: Decimal = "999999999999.9999995".parse().unwrap();
        let range = "metrics[bytes] is 999999999999.9999995: a stored number is within ±999999999999.999999";
        check(finding().metric("bytes", over), Err(range));
        check(finding().metric("bytes", Decimal::MAX).metric("a", 1), {
            let text =
                "metrics[bytes] is 79228162514264337593543950335: a stored number is within ±999999999999.999999";
            Err(text)
        });
        check(finding().metric(" ", 1), Err("a name in metrics is blank"));
        check(finding().label("", "x"), Err("a name in labels is blank"));
        check(finding().dimension("", "x"), Err("a name in dimensions is blank"));
        check(finding().link(" ", "https://example.com"), Err("links[0].label is blank"));
        let script = finding().link("a", "https://example.com").link("b", "javascript:alert(1)");
        check(script, Err("links[1].url is \"javascript:alert(1)\": it must begin with https://"));
    }
}
