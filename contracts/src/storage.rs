//! The storage boundary (R52–R59): a finding that was proved valid becomes a row. Widths and the one
//! rounding of money are decided here and nowhere else. Field names and order are the Arrow schema's.

use std::borrow::Cow;

use arrow::datatypes::{DataType, Field};
use serde::Serialize;

use crate::avro::{self, Entries};
use crate::columns::{Column, column};
use crate::finding::{self, Amount, ReadFinding, Text};
use crate::number::Micros;
use crate::violation::{Code, Violation};

type Str<'a> = Option<Cow<'a, str>>;
/// A struct whose members are the columns, and those of the Avro record in its order; those behind `since` were added by that version
/// of the schema. In JSON they are left out when they are null: documents without them stay what they were.
macro_rules! row {
    (
        $(#[$doc:meta])* $vis:vis struct $name:ident { $($field:ident: $type:ty,)* }
        $(since $version:literal { $($later:ident: $later_type:ty,)* })*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        $vis struct $name<'a> {
            $(pub(crate) $field: $type,)*
            $($(#[serde(skip_serializing_if = "Option::is_none")] pub(crate) $later: $later_type,)*)*
        }

        impl<'a> $name<'a> {
            /// Its columns in a version of the schema.
            pub(crate) fn fields(version: u16) -> Vec<Field> {
                let fields = vec![$(column::<$type>(stringify!($field), version)),*];
                $(let later = vec![$(column::<$later_type>(stringify!($later), version)),*];
                let fields = if version >= $version { [fields, later].concat() } else { fields };)*
                fields
            }
        }

        impl Column for $name<'_> {
            fn data_type(version: u16) -> DataType {
                DataType::Struct(Self::fields(version).into())
            }
        }

        impl avro::Write for $name<'_> {
            fn write(&self, version: u16, out: &mut Vec<u8>) {
                $(avro::Write::write(&self.$field, version, out);)*
                $(if version >= $version {
                    $(avro::Write::write(&self.$later, version, out);)*
                })*
            }

            fn version(&self) -> u16 {
                let mut version = 1;
                $(version = version.max(avro::Write::version(&self.$field));)*
                $($(if self.$later.is_some() {
                    version = version.max($version).max(avro::Write::version(&self.$later));
                })*)*
                version
            }
        }
    };
}

row!(
    /// One row of `finops_findings`. Only [`ValidFinding::cast_for_storage`](crate::judge::ValidFinding::cast_for_storage) makes one.
    pub struct StorageRecord {
        tenant_id: Str<'a>,
        workspace_id: Str<'a>,
        finding_id: Str<'a>,
        fingerprint: Str<'a>,
        run_id: Str<'a>,
        run_ts: Option<i64>,
        ingested_ts: Option<i64>,
        engine_name: Str<'a>,
        engine_version: Str<'a>,
        rulepack_version: Str<'a>,
        scope: Option<Scope<'a>>,
        check_id: Str<'a>,
        check_name: Str<'a>,
        category: Str<'a>,
        sub_category: Str<'a>,
        frameworks: Option<Vec<Str<'a>>>,
        status: Str<'a>,
        severity: Option<Severity<'a>>,
        priority: Option<u16>,
        title: Str<'a>,
        message: Str<'a>,
        advice: Str<'a>,
        recommendation: Str<'a>,
        remediation: Str<'a>,
        links: Option<Vec<Option<Link<'a>>>>,
        estimated: Option<Estimated<'a>>,
        actual: Option<Actual<'a>>,
        lifecycle: Option<Lifecycle<'a>>,
        tags: Option<Entries<'a, Str<'a>>>,
        labels: Option<Entries<'a, Str<'a>>>,
        dimensions: Option<Entries<'a, Str<'a>>>,
        metrics: Option<Entries<'a, Option<Micros>>>,
        metadata_json: Str<'a>,
        source: Option<Source<'a>>,
    }
    since 2 {
        allocation: Option<Allocation<'a>>,
    }
);

row!(
    pub(crate) struct Scope {
        cloud: Str<'a>,
        provider_partition: Str<'a>,
        organization_id: Str<'a>,
        billing_account_id: Str<'a>,
        account_id: Str<'a>,
        region: Str<'a>,
        availability_zone: Str<'a>,
        service: Str<'a>,
        resource_type: Str<'a>,
        resource_id: Str<'a>,
        resource_arn: Str<'a>,
    }
);
row!(
    pub(crate) struct Severity {
        level: Str<'a>,
        score: Option<u16>,
    }
);
row!(
    pub(crate) struct Link {
        label: Str<'a>,
        url: Str<'a>,
    }
);
row!(
    pub(crate) struct Estimated {
        monthly_savings: Option<Micros>,
        monthly_cost: Option<Micros>,
        one_time_savings: Option<Micros>,
        confidence: Option<u8>,
        notes: Str<'a>,
    }
);
row!(
    pub(crate) struct Actual {
        cost_7d: Option<Micros>,
        cost_30d: Option<Micros>,
        cost_mtd: Option<Micros>,
        cost_prev_month: Option<Micros>,
        savings_7d: Option<Micros>,
        savings_30d: Option<Micros>,
        model: Option<Model<'a>>,
        attribution: Option<Attribution<'a>>,
    }
);
row!(
    pub(crate) struct Model {
        currency: Str<'a>,
        cost_model: Str<'a>,
        granularity: Str<'a>,
        period_start: Option<i32>,
        period_end: Option<i32>,
    }
);
row!(
    pub(crate) struct Attribution {
        method: Str<'a>,
        confidence: Option<u8>,
        matched_keys: Option<Vec<Str<'a>>>,
    }
);
row!(
    pub(crate) struct Lifecycle {
        status: Str<'a>,
        first_seen_ts: Option<i64>,
        last_seen_ts: Option<i64>,
        resolved_ts: Option<i64>,
        snooze_until_ts: Option<i64>,
    }
);
row!(
    pub(crate) struct Source {
        source_type: Str<'a>,
        source_ref: Str<'a>,
        schema_version: Option<u16>,
    }
    since 2 {
        engine: Str<'a>,
        refreshed_ts: Option<i64>,
    }
);
row!(
    pub(crate) struct Allocation {
        owner: Str<'a>,
        cost_center: Str<'a>,
        product: Str<'a>,
    }
    since 3 {
        environment: Str<'a>,
    }
);

/// The cast: pure, one record at a time, the schema decides.
///
/// # Errors
/// Amounts and numbers that do not fit their columns, all of them, under the record's paths.
pub(crate) fn cast<'f>(f: &'f ReadFinding<'_>) -> Result<StorageRecord<'f>, Vec<Violation>> {
    let mut cast = Cast { violations: Vec::new() };
    let record = cast.record(f);
    if cast.violations.is_empty() { Ok(record) } else { Err(cast.violations) }
}

struct Cast {
    violations: Vec<Violation>,
}

fn text<'f>(text: &'f Text<'_>) -> Str<'f> {
    text.as_deref().map(Cow::Borrowed)
}

fn texts<'f>(texts: Option<&'f Vec<Text<'_>>>) -> Option<Vec<Str<'f>>> {
    Some(texts?.iter().map(text).collect())
}

fn entries<'f>(map: Option<&'f Vec<(Cow<'_, str>, Text<'_>)>>) -> Option<Entries<'f, Str<'f>>> {
    Some(Entries(map?.iter().map(|(key, value)| (Cow::Borrowed(key.as_ref()), text(value))).collect()))
}

impl Cast {
    fn money(&mut self, amount: Option<&Amount<'_>>, path: &str) -> Option<Micros> {
        let micros = amount?.decimal().ok()?.to_micros();
        if micros.is_err() {
            let rule = "must be within ±999999999999.999999";
            self.violations.push(Violation::new(path, Code::Range, rule));
        }
        micros.ok()
    }

    fn width<T: TryFrom<i64>>(&mut self, value: Option<i64>, max: u32, path: &str) -> Option<T> {
        let narrow = T::try_from(value?).ok();
        if narrow.is_none() {
            self.violations.push(Violation::new(path, Code::Range, format!("must be from 0 to {max}")));
        }
        narrow
    }

    fn record<'f>(&mut self, f: &'f ReadFinding<'_>) -> StorageRecord<'f> {
        StorageRecord {
            tenant_id: text(&f.tenant_id),
            workspace_id: text(&f.workspace_id),
            finding_id: text(&f.finding_id),
            fingerprint: text(&f.fingerprint),
            run_id: text(&f.run_id),
            run_ts: f.run_ts,
            ingested_ts: f.ingested_ts,
            engine_name: text(&f.engine_name),
            engine_version: text(&f.engine_version),
            rulepack_version: text(&f.rulepack_version),
            scope: f.scope.as_ref().map(scope),
            check_id: text(&f.check_id),
            check_name: text(&f.check_name),
            category: text(&f.category),
            sub_category: text(&f.sub_category),
            frameworks: texts(f.frameworks.as_ref()),
            status: text(&f.status),
            severity: f
                .severity
                .as_ref()
                .map(|s| Severity { level: text(&s.level), score: self.width(s.score, 65_535, "severity.score") }),
            priority: self.width(f.priority, 65_535, "priority"),
            title: text(&f.title),
            message: text(&f.message),
            advice: text(&f.advice),
            recommendation: text(&f.recommendation),
            remediation: text(&f.remediation),
            links: f.links.as_ref().map(|links| {
                let link = |l: &'f finding::Link<'_>| Link { label: text(&l.label), url: text(&l.url) };
                links.iter().map(|l| l.as_ref().map(link)).collect()
            }),
            estimated: f.estimated.as_ref().map(|e| self.estimated(e)),
            actual: f.actual.as_ref().map(|a| self.actual(a)),
            lifecycle: f.lifecycle.as_ref().map(|l| Lifecycle {
                status: text(&l.status),
                first_seen_ts: l.first_seen_ts,
                last_seen_ts: l.last_seen_ts,
                resolved_ts: l.resolved_ts,
                snooze_until_ts: l.snooze_until_ts,
            }),
            tags: entries(f.tags.as_ref()),
            labels: entries(f.labels.as_ref()),
            dimensions: entries(f.dimensions.as_ref()),
            metrics: f.metrics.as_ref().map(|metrics| {
                let mut metric = |(key, value): &'f (Cow<'_, str>, Option<Amount<'_>>)| {
                    let value = value.as_ref().and_then(|v| self.money(Some(v), &format!("metrics[{key}]")));
                    (Cow::Borrowed(key.as_ref()), value)
                };
                Entries(metrics.iter().map(&mut metric).collect())
            }),
            metadata_json: text(&f.metadata_json),
            source: f.source.as_ref().map(|s| Source {
                source_type: text(&s.source_type),
                source_ref: text(&s.source_ref),
                schema_version: self.width(s.schema_version, 65_535, "source.schema_version"),
                engine: text(&s.engine),
                refreshed_ts: s.refreshed_ts,
            }),
            allocation: f.allocation.as_ref().map(|a| Allocation {
                owner: text(&a.owner),
                cost_center: text(&a.cost_center),
                product: text(&a.product),
                environment: text(&a.environment),
            }),
        }
    }

    fn estimated<'f>(&mut self, e: &'f finding::Estimated<'_>) -> Estimated<'f> {
        Estimated {
            monthly_savings: self.money(e.monthly_savings.as_ref(), "estimated.monthly_savings"),
            monthly_cost: self.money(e.monthly_cost.as_ref(), "estimated.monthly_cost"),
            one_time_savings: self.money(e.one_time_savings.as_ref(), "estimated.one_time_savings"),
            confidence: self.width(e.confidence, 255, "estimated.confidence"),
            notes: text(&e.notes),
        }
    }

    fn actual<'f>(&mut self, a: &'f finding::Actual<'_>) -> Actual<'f> {
        Actual {
            cost_7d: self.money(a.cost_7d.as_ref(), "actual.cost_7d"),
            cost_30d: self.money(a.cost_30d.as_ref(), "actual.cost_30d"),
            cost_mtd: self.money(a.cost_mtd.as_ref(), "actual.cost_mtd"),
            cost_prev_month: self.money(a.cost_prev_month.as_ref(), "actual.cost_prev_month"),
            savings_7d: self.money(a.savings_7d.as_ref(), "actual.savings_7d"),
            savings_30d: self.money(a.savings_30d.as_ref(), "actual.savings_30d"),
            model: a.model.as_ref().map(|m| Model {
                currency: text(&m.currency),
                cost_model: text(&m.cost_model),
                granularity: text(&m.granularity),
                period_start: m.period_start,
                period_end: m.period_end,
            }),
            attribution: a.attribution.as_ref().map(|t| Attribution {
                method: text(&t.method),
                confidence: self.width(t.confidence, 255, "actual.attribution.confidence"),
                matched_keys: texts(t.matched_keys.as_ref()),
            }),
        }
    }
}

fn scope<'f>(s: &'f finding::Scope<'_>) -> Scope<'f> {
    Scope {
        cloud: text(&s.cloud),
        provider_partition: text(&s.provider_partition),
        organization_id: text(&s.organization_id),
        billing_account_id: text(&s.billing_account_id),
        account_id: text(&s.account_id),
        region: text(&s.region),
        availability_zone: text(&s.availability_zone),
        service: text(&s.service),
        resource_type: text(&s.resource_type),
        resource_id: text(&s.resource_id),
        resource_arn: text(&s.resource_arn),
    }
}

impl StorageRecord<'_> {
    /// As the value of a record of the valid topic: frame and body, in the lowest version that has room for it. While no producer
    /// sends what a version has added, programs that do not know it read everything.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        avro::encode(self)
    }

    /// The row as JSON for people and `contract test`: money as text with six places, times `…Z` with
    /// milliseconds, dates as text, maps as objects, every field of schema version 1 present, later ones when they have a value.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        for path in ["/run_ts", "/ingested_ts", "/source/refreshed_ts"].into_iter().chain(LIFECYCLE_TIMES) {
            replace(&mut value, path, |v| v.as_i64().map(crate::time::format_timestamp));
        }
        for path in ["/actual/model/period_start", "/actual/model/period_end"] {
            replace(&mut value, path, |v| v.as_i64()?.try_into().ok().map(crate::time::format_date));
        }
        value
    }
}

const LIFECYCLE_TIMES: [&str; 4] =
    ["/lifecycle/first_seen_ts", "/lifecycle/last_seen_ts", "/lifecycle/resolved_ts", "/lifecycle/snooze_until_ts"];

fn replace(value: &mut serde_json::Value, path: &str, text: impl Fn(&serde_json::Value) -> Option<String>) {
    if let Some(slot) = value.pointer_mut(path)
        && let Some(text) = text(slot)
    {
        *slot = serde_json::Value::String(text);
    }
}
