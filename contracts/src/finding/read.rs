//! Reads every member of a message by the rules of its type.

mod scalars;

use std::borrow::Cow;
use std::fmt::Arguments;

use self::scalars::is_string;
use super::{
    Actual, Allocation, Attribution, CURRENCY_RULE, Estimated, Form, Lifecycle, Link, Model, ReadFinding, Scope,
    Severity, Source, Text,
};
use crate::number;
use crate::text::{self, Scalar, trim};
use crate::violation::{Code, Violation};
use crate::vocabulary;
use crate::wire::{self, Elements, Entries, Message, Raw};

/// Reads a message. The finding is as complete as the violations allow.
pub(crate) fn read<'a>(message: &Message<'a>, form: Form) -> (ReadFinding<'a>, Vec<Violation>) {
    let mut reader = Reader { form, violations: Vec::new() };
    let finding = reader.finding(message);
    (finding, reader.violations)
}

struct Reader {
    form: Form,
    violations: Vec<Violation>,
}

impl Reader {
    /// R45, R53: the object inside, nothing when blank, a violation when it is something else.
    fn object<'a, T: serde::Deserialize<'a>>(&mut self, raw: Raw<'a>, path: Arguments<'_>) -> Option<T> {
        self.container(raw, &Scalar::Object, path, (Code::Object, "must be an object"))
    }

    fn container<'a, T: serde::Deserialize<'a>>(
        &mut self,
        raw: Raw<'a>,
        kind: &Scalar<'_>,
        path: Arguments<'_>,
        (code, rule): (Code, &str),
    ) -> Option<T> {
        let scalar = Scalar::of(raw);
        if scalar.is_blank() {
            return None;
        }
        let read = raw.filter(|_| scalar == *kind).and_then(wire::container);
        if read.is_none() {
            self.report(path, code, rule, raw);
        }
        read
    }

    fn list<'a, T>(
        &mut self,
        raw: Raw<'a>,
        path: &str,
        mut element: impl FnMut(&mut Self, Raw<'a>, Arguments<'_>) -> T,
    ) -> Option<Vec<T>> {
        let rule = (Code::List, "must be an array");
        let elements = self.container(raw, &Scalar::List, format_args!("{path}"), rule);
        match elements {
            Some(Elements(elements)) => Some(
                elements
                    .into_iter()
                    .enumerate()
                    .map(|(i, raw)| element(self, raw, format_args!("{path}[{i}]")))
                    .collect(),
            ),
            None if self.form == Form::Draft => Some(Vec::new()),
            None => None,
        }
    }

    /// A text element: null stays null, also in drafts.
    fn element<'a>(&mut self, raw: Raw<'a>, path: Arguments<'_>) -> Text<'a> {
        raw.and_then(|_| self.text(raw, path))
    }

    fn map<'a, T>(
        &mut self,
        raw: Raw<'a>,
        path: &str,
        mut value: impl FnMut(&mut Self, Raw<'a>, Arguments<'_>) -> T,
    ) -> Option<Vec<(Cow<'a, str>, T)>> {
        let rule = (Code::Map, "must be an object");
        let entries = self.container(raw, &Scalar::Object, format_args!("{path}"), rule);
        match entries {
            Some(Entries(entries)) => Some(
                entries
                    .into_iter()
                    .map(|(key, raw)| {
                        let value = value(self, raw, format_args!("{path}[{key}]"));
                        (key, value)
                    })
                    .collect(),
            ),
            None if self.form == Form::Draft => Some(Vec::new()),
            None => None,
        }
    }

    fn finding<'a>(&mut self, m: &Message<'a>) -> ReadFinding<'a> {
        let draft = self.form == Form::Draft;
        let mut finding = ReadFinding {
            tenant_id: self.folded(m.tenant_id, format_args!("tenant_id")),
            workspace_id: self.trimmed(m.workspace_id, format_args!("workspace_id")),
            finding_id: self.folded(m.finding_id, format_args!("finding_id")),
            fingerprint: self.folded(m.fingerprint, format_args!("fingerprint")),
            run_id: self.trimmed(m.run_id, format_args!("run_id")),
            run_ts: self.time(m.run_ts, format_args!("run_ts")),
            ingested_ts: self.time(m.ingested_ts, format_args!("ingested_ts")),
            engine_name: self.trimmed(m.engine_name, format_args!("engine_name")),
            engine_version: self.trimmed(m.engine_version, format_args!("engine_version")),
            rulepack_version: self.trimmed(m.rulepack_version, format_args!("rulepack_version")),
            scope: self.scope(m.scope),
            check_id: self.folded(m.check_id, format_args!("check_id")),
            check_name: self.trimmed(m.check_name, format_args!("check_name")),
            category: self.folded(m.category, format_args!("category")),
            sub_category: self.folded(m.sub_category, format_args!("sub_category")),
            frameworks: self.list(m.frameworks, "frameworks", Self::element),
            status: self.one_of(m.status, &vocabulary::STATUS, format_args!("status")),
            severity: self.severity(m.severity),
            priority: self.integer(m.priority, format_args!("priority")),
            title: self.trimmed(m.title, format_args!("title")),
            message: self.trimmed(m.message, format_args!("message")),
            advice: self.trimmed(m.advice, format_args!("advice")),
            recommendation: self.trimmed(m.recommendation, format_args!("recommendation")),
            remediation: self.trimmed(m.remediation, format_args!("remediation")),
            links: self.list(m.links, "links", Self::link),
            estimated: self.estimated(m.estimated),
            actual: self.actual(m.actual),
            lifecycle: self.lifecycle(m.lifecycle),
            tags: self.map(m.tags, "tags", Self::text),
            labels: self.map(m.labels, "labels", Self::text),
            dimensions: self.map(m.dimensions, "dimensions", Self::text),
            metrics: self.map(m.metrics, "metrics", Self::amount),
            metadata_json: self.text(m.metadata_json, format_args!("metadata_json")),
            source: if draft { Some(self.draft_source(m)) } else { self.source(m.source) },
            allocation: self.allocation(m.allocation),
        };
        if draft {
            self.complete_draft(&mut finding, m);
            share_advice(&mut finding);
        }
        finding
    }

    /// R27: kept as given; R45: an object always, also when absent.
    fn scope<'a>(&mut self, raw: Raw<'a>) -> Option<Scope<'a>> {
        let scope: Option<wire::Scope<'a>> = self.object(raw, format_args!("scope"));
        if scope.is_none() && self.form != Form::AsIs && Scalar::of(raw).is_blank() {
            self.report(format_args!("scope"), Code::Object, "must be an object", raw);
        }
        let s = scope?;
        Some(Scope {
            cloud: self.text(s.cloud, format_args!("scope.cloud")),
            provider_partition: self.text(s.provider_partition, format_args!("scope.provider_partition")),
            organization_id: self.text(s.organization_id, format_args!("scope.organization_id")),
            billing_account_id: self.text(s.billing_account_id, format_args!("scope.billing_account_id")),
            account_id: self.text(s.account_id, format_args!("scope.account_id")),
            region: self.text(s.region, format_args!("scope.region")),
            availability_zone: self.text(s.availability_zone, format_args!("scope.availability_zone")),
            service: self.text(s.service, format_args!("scope.service")),
            resource_type: self.text(s.resource_type, format_args!("scope.resource_type")),
            resource_id: self.text(s.resource_id, format_args!("scope.resource_id")),
            resource_arn: self.text(s.resource_arn, format_args!("scope.resource_arn")),
        })
    }

    fn severity<'a>(&mut self, raw: Raw<'a>) -> Option<Severity<'a>> {
        let s: wire::Severity<'a> = self.object_or_default(raw, format_args!("severity"))?;
        Some(Severity {
            level: self.one_of(s.level, &vocabulary::SEVERITY, format_args!("severity.level")),
            score: self.integer(s.score, format_args!("severity.score")),
        })
    }

    /// As [`object`](Self::object); a draft has an empty one when it is absent.
    fn object_or_default<'a, T: serde::Deserialize<'a> + Default>(
        &mut self,
        raw: Raw<'a>,
        path: Arguments<'_>,
    ) -> Option<T> {
        self.object(raw, path).or_else(|| (self.form == Form::Draft).then(T::default))
    }

    /// R55.
    fn link<'a>(&mut self, raw: Raw<'a>, path: Arguments<'_>) -> Option<Link<'a>> {
        let link: Option<wire::Link<'a>> = self.object(raw, path);
        let link = link?;
        Some(Link {
            label: self.text(link.label, format_args!("{path}.label")),
            url: self.text(link.url, format_args!("{path}.url")),
        })
    }

    fn estimated<'a>(&mut self, raw: Raw<'a>) -> Option<Estimated<'a>> {
        let e: wire::Estimated<'a> = self.object_or_default(raw, format_args!("estimated"))?;
        Some(Estimated {
            monthly_savings: self.amount(e.monthly_savings, format_args!("estimated.monthly_savings")),
            monthly_cost: self.amount(e.monthly_cost, format_args!("estimated.monthly_cost")),
            one_time_savings: self.amount(e.one_time_savings, format_args!("estimated.one_time_savings")),
            confidence: if self.form == Form::Draft {
                Some(self.draft_confidence(e.confidence))
            } else {
                self.integer(e.confidence, format_args!("estimated.confidence"))
            },
            notes: self.trimmed(e.notes, format_args!("estimated.notes")),
        })
    }

    /// R31.
    fn draft_confidence(&mut self, raw: Raw<'_>) -> i64 {
        let scalar = Scalar::of(raw);
        if let Ok(number) = number::decimal(&scalar) {
            return i64::from(number.to_percent());
        }
        match &scalar {
            Scalar::Null => 0,
            Scalar::Text(word) => match text::lower(trim(word)).as_ref() {
                "low" | "l" => 30,
                "medium" | "med" | "m" => 60,
                "high" | "h" => 85,
                _ => 0,
            },
            _ => {
                let rule = "must be a number from 0 to 100, or low, medium, high";
                self.report(format_args!("estimated.confidence"), Code::Integer, rule, raw);
                0
            }
        }
    }

    fn actual<'a>(&mut self, raw: Raw<'a>) -> Option<Actual<'a>> {
        // A draft that brings its own is read like a record's (R32): what is absent stays null.
        let a: wire::Actual<'a> = self.object(raw, format_args!("actual"))?;
        let form = self.form;
        if form == Form::Draft {
            self.form = Form::Record;
        }
        let actual = Actual {
            cost_7d: self.amount(a.cost_7d, format_args!("actual.cost_7d")),
            cost_30d: self.amount(a.cost_30d, format_args!("actual.cost_30d")),
            cost_mtd: self.amount(a.cost_mtd, format_args!("actual.cost_mtd")),
            cost_prev_month: self.amount(a.cost_prev_month, format_args!("actual.cost_prev_month")),
            savings_7d: self.amount(a.savings_7d, format_args!("actual.savings_7d")),
            savings_30d: self.amount(a.savings_30d, format_args!("actual.savings_30d")),
            model: self.model(a.model),
            attribution: self.attribution(a.attribution),
        };
        self.form = form;
        Some(actual)
    }

    fn model<'a>(&mut self, raw: Raw<'a>) -> Option<Model<'a>> {
        let m: wire::Model<'a> = self.object(raw, format_args!("actual.model"))?;
        Some(Model {
            currency_is_text: is_string(m.currency),
            currency: self.currency(m.currency, format_args!("actual.model.currency")),
            cost_model: self.one_of(m.cost_model, &vocabulary::COST_MODEL, format_args!("actual.model.cost_model")),
            granularity: self.text(m.granularity, format_args!("actual.model.granularity")),
            period_start: self.date(m.period_start, format_args!("actual.model.period_start")),
            period_end: self.date(m.period_end, format_args!("actual.model.period_end")),
        })
    }

    fn attribution<'a>(&mut self, raw: Raw<'a>) -> Option<Attribution<'a>> {
        let a: wire::Attribution<'a> = self.object(raw, format_args!("actual.attribution"))?;
        Some(Attribution {
            method: self.one_of(a.method, &vocabulary::ATTRIBUTION_METHOD, format_args!("actual.attribution.method")),
            confidence: self.integer(a.confidence, format_args!("actual.attribution.confidence")),
            matched_keys: self.list(a.matched_keys, "actual.attribution.matched_keys", Self::element),
        })
    }

    fn lifecycle<'a>(&mut self, raw: Raw<'a>) -> Option<Lifecycle<'a>> {
        let l: wire::Lifecycle<'a> = self.object(raw, format_args!("lifecycle"))?;
        Some(Lifecycle {
            status: self.one_of(l.status, &vocabulary::LIFECYCLE, format_args!("lifecycle.status")),
            first_seen_ts: self.time(l.first_seen_ts, format_args!("lifecycle.first_seen_ts")),
            last_seen_ts: self.time(l.last_seen_ts, format_args!("lifecycle.last_seen_ts")),
            resolved_ts: self.time(l.resolved_ts, format_args!("lifecycle.resolved_ts")),
            snooze_until_ts: self.time(l.snooze_until_ts, format_args!("lifecycle.snooze_until_ts")),
        })
    }

    fn source<'a>(&mut self, raw: Raw<'a>) -> Option<Source<'a>> {
        let s: wire::Source<'a> = self.object(raw, format_args!("source"))?;
        Some(Source {
            source_type: self.text(s.source_type, format_args!("source.source_type")),
            source_ref: self.text(s.source_ref, format_args!("source.source_ref")),
            schema_version: self.integer(s.schema_version, format_args!("source.schema_version")),
            engine: self.added(s.engine, format_args!("source.engine")),
            refreshed_ts: self.time(s.refreshed_ts, format_args!("source.refreshed_ts")),
        })
    }

    /// An object without a name counts as absent.
    fn allocation<'a>(&mut self, raw: Raw<'a>) -> Option<Allocation<'a>> {
        let a: wire::Allocation<'a> = self.object(raw, format_args!("allocation"))?;
        let allocation = Allocation {
            owner: self.added(a.owner, format_args!("allocation.owner")),
            cost_center: self.added(a.cost_center, format_args!("allocation.cost_center")),
            product: self.added(a.product, format_args!("allocation.product")),
            environment: self.added(a.environment, format_args!("allocation.environment")),
        };
        let Allocation { owner, cost_center, product, environment } = &allocation;
        let is_given = [owner, cost_center, product, environment].into_iter().any(Option::is_some);
        is_given.then_some(allocation)
    }

    /// R5, R51: the producer's shortcuts under their record paths.
    fn draft_source<'a>(&mut self, m: &Message<'a>) -> Source<'a> {
        let source_type = self.text(m.source_type, format_args!("source.source_type"));
        let version = self.integer(m.schema_version, format_args!("source.schema_version"));
        Source {
            source_type: source_type.map(|t| or_default(t, "scanner")),
            source_ref: self.text(m.checker_id, format_args!("source.source_ref")),
            schema_version: if Scalar::of(m.schema_version).is_blank() { Some(1) } else { version },
            engine: self.added(m.source_engine, format_args!("source.engine")),
            refreshed_ts: self.time(m.source_refreshed_ts, format_args!("source.refreshed_ts")),
        }
    }

    /// R32: what a draft gets when it brings none.
    fn complete_draft<'a>(&mut self, finding: &mut ReadFinding<'a>, m: &Message<'a>) {
        let currency = self.currency(m.default_currency, format_args!("actual.model.currency"));
        if currency.is_some() && !is_string(m.default_currency) && !Scalar::of(m.default_currency).is_blank() {
            let path = format_args!("actual.model.currency");
            self.report(path, Code::CurrencyUnknown, CURRENCY_RULE, m.default_currency);
        }
        if Scalar::of(m.actual).is_blank() {
            finding.actual = Some(Actual {
                model: Some(Model {
                    currency: currency.map(|c| or_default(c, "USD")),
                    currency_is_text: true,
                    cost_model: Some("".into()),
                    granularity: Some("".into()),
                    ..Model::default()
                }),
                attribution: Some(Attribution {
                    method: Some("".into()),
                    confidence: Some(0),
                    matched_keys: Some(Vec::new()),
                }),
                ..Actual::default()
            });
        }
        if Scalar::of(m.lifecycle).is_blank() {
            let open = finding.status.as_deref() == Some("fail");
            finding.lifecycle =
                Some(Lifecycle { status: Some(if open { "open" } else { "" }.into()), ..Lifecycle::default() });
        }
    }
}

fn or_default<'a>(text: Cow<'a, str>, default: &'static str) -> Cow<'a, str> {
    if trim(&text).is_empty() { Cow::Borrowed(default) } else { text }
}

/// R29: each of the two is the first that is not blank.
fn share_advice(finding: &mut ReadFinding<'_>) {
    let blank = |text: &Text<'_>| text.as_deref().is_none_or(|t| trim(t).is_empty());
    match (blank(&finding.advice), blank(&finding.recommendation)) {
        (true, false) => finding.advice.clone_from(&finding.recommendation),
        (false, true) => finding.recommendation.clone_from(&finding.advice),
        _ => {}
    }
}
