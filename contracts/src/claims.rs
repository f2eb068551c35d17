//! Which headers of a wire record count. Kafka authorises topics, never headers, so a header is input like any other: what it
//! says of tenants is checked against the policy of the topic, and the record that it says to stand for against its own position.

use crate::source::Src;
use crate::topics::{self, headers};

/// Which tenants the producers of wire topics may speak for.
pub trait Producers {
    /// True when the topic's producer may speak for any tenant.
    fn speaks_for_all(&self, topic: &str) -> bool;
    /// True when the topic's producer may speak for this tenant. A topic without a producer speaks for none.
    fn speaks_for(&self, topic: &str, tenant: &str) -> bool;
    /// The one tenant that the topic's producer may speak for, if it is one.
    fn only_tenant(&self, topic: &str) -> Option<&str>;
}

/// No producer but our own: its topic speaks for every tenant, any other topic for none.
pub struct OwnProducers;

impl Producers for OwnProducers {
    fn speaks_for_all(&self, topic: &str) -> bool {
        topic == topics::WIRE
    }
    fn speaks_for(&self, topic: &str, _: &str) -> bool {
        self.speaks_for_all(topic)
    }
    fn only_tenant(&self, _: &str) -> Option<&str> {
        None
    }
}

/// What the headers of one record say of its tenant and run, as far as it counts.
#[derive(Clone, Copy)]
pub struct Claims<'m> {
    topic: &'m str,
    producers: &'m dyn Producers,
    tenant_id: Option<&'m [u8]>,
    workspace_id: Option<&'m [u8]>,
    run_id: Option<&'m [u8]>,
    has_tenant: bool,
    has_run: bool,
}

impl<'m> Claims<'m> {
    /// A producer of some tenants is believed its tenant when the policy allows it. Its run is believed only with tenant and
    /// workspace: a run id alone would be counted for the runs of that id of every tenant. `header` gives the last header of a name.
    pub fn of(topic: &'m str, header: impl Fn(&str) -> Option<&'m [u8]>, producers: &'m dyn Producers) -> Self {
        let [tenant_id, workspace_id, run_id] =
            [headers::TENANT_ID, headers::WORKSPACE_ID, headers::RUN_ID].map(&header);
        let is_text = |value: Option<&[u8]>| value.is_some_and(|bytes| std::str::from_utf8(bytes).is_ok());
        let speaks_for =
            |tenant: &[u8]| std::str::from_utf8(tenant).is_ok_and(|tenant| producers.speaks_for(topic, tenant));
        let speaks_for_all = producers.speaks_for_all(topic);
        let has_tenant = speaks_for_all || tenant_id.is_some_and(speaks_for);
        let has_run = speaks_for_all || (has_tenant && is_text(workspace_id) && is_text(run_id));
        Self {
            topic,
            producers,
            tenant_id: tenant_id.filter(|_| has_tenant),
            workspace_id: workspace_id.filter(|_| has_run),
            run_id: run_id.filter(|_| has_run),
            has_tenant,
            has_run,
        }
    }

    /// The producer of the record may speak for this tenant, whatever the headers say.
    #[must_use]
    pub fn may_be_of(&self, tenant: &str) -> bool {
        self.producers.speaks_for(self.topic, tenant)
    }

    /// The header may be believed. Those of other names say nothing of tenants.
    #[must_use]
    pub fn counts(&self, name: &str) -> bool {
        match name {
            headers::TENANT_ID => self.has_tenant,
            headers::WORKSPACE_ID | headers::RUN_ID => self.has_run,
            // Only a validator sets these, on valid records.
            headers::RUN | headers::RUN_DATE => false,
            _ => true,
        }
    }

    /// The last header of that name, when it says something of tenant or run that counts.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'m [u8]> {
        match name {
            headers::TENANT_ID => self.tenant_id,
            headers::WORKSPACE_ID => self.workspace_id,
            headers::RUN_ID => self.run_id,
            _ => None,
        }
    }

    /// The run that the producer's headers name, `tenant/workspace/run_id`.
    #[must_use]
    pub fn run(&self) -> Option<String> {
        let [tenant, workspace, run_id] = [self.tenant_id, self.workspace_id, self.run_id].map(text);
        Some(format!("{}/{}/{}", tenant?, workspace?, run_id?))
    }

    /// The run, or `//run_id` where the headers tell no more of it.
    #[must_use]
    pub fn run_or_id(&self) -> Option<String> {
        self.run().or_else(|| Some(format!("//{}", text(self.run_id)?)))
    }
}

fn text(bytes: Option<&[u8]>) -> Option<&str> {
    bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).filter(|text| !text.is_empty())
}

/// A record may stand for an earlier one of its own partition, and for no other: whatever is sent again goes where it came from.
/// Whether it was sent again, only the audit records of the store tell.
#[must_use]
pub fn may_stand_for(first: &Src, own: &Src) -> bool {
    first.partition == own.partition && first.offset < own.offset
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `wire.evil` is bound to tenant evil.
    struct Evil;

    impl Producers for Evil {
        fn speaks_for_all(&self, topic: &str) -> bool {
            OwnProducers.speaks_for_all(topic)
        }
        fn speaks_for(&self, topic: &str, tenant: &str) -> bool {
            self.speaks_for_all(topic) || (topic == "wire.evil" && tenant == "evil")
        }
        fn only_tenant(&self, _: &str) -> Option<&str> {
            None
        }
    }

    #[test]
    fn a_bound_topic_names_its_own_tenants_and_their_runs_only() {
        let check = |topic: &str, said: [&str; 3], expected: [&str; 3], run: Option<&str>| {
            let names = [headers::TENANT_ID, headers::WORKSPACE_ID, headers::RUN_ID];
            let header = |name: &str| {
                let at = names.iter().position(|n| *n == name)?;
                Some(said[at].as_bytes()).filter(|value| *value != b"-")
            };
            let claims = Claims::of(topic, header, &Evil);
            let found = names.map(|name| claims.header(name).map_or("-", |v| std::str::from_utf8(v).unwrap()));
            assert_eq!((found, claims.run_or_id().as_deref()), (expected, run), "{topic} {said:?}");
        };
        check("wire.evil", ["evil", "w", "r"], ["evil", "w", "r"], Some("evil/w/r"));
        check("wire.evil", ["acme", "w", "r"], ["-", "-", "-"], None);
        check("wire.evil", ["EVIL", "w", "r"], ["-", "-", "-"], None);
        check("wire.evil", ["-", "w", "r"], ["-", "-", "-"], None);
        check("wire.evil", ["evil", "-", "r"], ["evil", "-", "-"], None);
        check("wire.evil", ["evil", "w", "-"], ["evil", "-", "-"], None);
        check("wire.stranger", ["evil", "w", "r"], ["-", "-", "-"], None);
        check(topics::WIRE, ["acme", "w", "r"], ["acme", "w", "r"], Some("acme/w/r"));
        check(topics::WIRE, ["-", "-", "r"], ["-", "-", "r"], Some("//r"));
        check(topics::WIRE, ["acme", "", "r"], ["acme", "", "r"], Some("//r"));
    }

    #[test]
    fn a_record_stands_for_an_earlier_one_of_its_partition() {
        let own: Src = "id/1/5".parse().unwrap();
        for (first, expected) in
            [("id/1/4", true), ("id/1/5", false), ("id/1/6", false), ("id/0/4", false), ("x/1/4", false)]
        {
            assert_eq!(may_stand_for(&first.parse().unwrap(), &own), expected, "{first}");
        }
    }
}
