//! All collectors and providers that are linked in, sorted by id. Link order means nothing.

use std::collections::BTreeSet;

use inventories::kind::{Extent, InventoryKind, Source};

use crate::collector::{Collect, CollectorRegistration, ProviderRegistration};

/// A registered collector.
pub type Collector = &'static CollectorRegistration;
/// A registered provider.
pub type Provider = &'static ProviderRegistration;

/// All collectors, by id, and how to get at the accounts that they look at.
#[derive(Debug, Clone)]
pub struct CollectorRegistry {
    collectors: Vec<Collector>,
    providers: Vec<Provider>,
}

/// The program was put together wrongly (exit 78).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectorRegistryError {
    /// Nothing is linked in.
    #[error("no collector is registered: the crate that holds them is not linked in")]
    Empty,
    /// Two collectors claim one id or kind of inventory.
    #[error("{name:?} is registered twice: by collector {first} and by collector {second}")]
    Duplicate {
        /// Id, or name of the kind.
        name: &'static str,
        /// Id of one.
        first: &'static str,
        /// Id of the other.
        second: &'static str,
    },
    /// Two providers claim one source.
    #[error("two providers of the {0} are registered")]
    DuplicateProvider(&'static str),
    /// What a collector fills is not once for what it looks at, so nothing would find it.
    #[error("collector {collector} fills {kind}, which is once for {extent}, and looks at {looks_at}")]
    Extent {
        /// Id.
        collector: &'static str,
        /// Kind of inventory.
        kind: &'static str,
        /// What there is one for.
        extent: &'static str,
        /// What the collector is called for.
        looks_at: &'static str,
    },
    /// A collector looks at accounts that cannot be found.
    #[error("collector {collector} looks at accounts of the {source_name}, and no provider of them is registered")]
    NoProvider {
        /// Id.
        collector: &'static str,
        /// Its source.
        source_name: &'static str,
    },
}

impl CollectorRegistry {
    /// All collectors and providers linked into this program.
    ///
    /// # Errors
    /// As [`CollectorRegistry::new`].
    pub fn linked() -> Result<Self, CollectorRegistryError> {
        Self::new(inventory::iter::<CollectorRegistration>(), inventory::iter::<ProviderRegistration>())
    }

    /// These collectors and providers.
    ///
    /// # Errors
    /// There is no collector, two share an id or a kind of inventory, or a collector lacks its provider.
    pub fn new(
        collectors: impl IntoIterator<Item = Collector>,
        providers: impl IntoIterator<Item = Provider>,
    ) -> Result<Self, CollectorRegistryError> {
        let mut collectors: Vec<Collector> = collectors.into_iter().collect();
        let mut providers: Vec<Provider> = providers.into_iter().collect();
        collectors.sort_unstable_by_key(|collector| (collector.id, collector.fills.name));
        providers.sort_unstable_by_key(|provider| provider.source);
        if collectors.is_empty() {
            return Err(CollectorRegistryError::Empty);
        }
        for (index, second) in collectors.iter().enumerate() {
            for first in &collectors[..index] {
                let shared = [(first.id, second.id), (first.fills.name, second.fills.name)];
                if let Some((name, _)) = shared.into_iter().find(|(a, b)| a == b) {
                    return Err(CollectorRegistryError::Duplicate { name, first: first.id, second: second.id });
                }
            }
        }
        if let Some(twice) = providers.windows(2).find(|pair| pair[0].source == pair[1].source) {
            return Err(CollectorRegistryError::DuplicateProvider(twice[0].source.as_str()));
        }
        let registry = Self { collectors, providers };
        for collector in &registry.collectors {
            let source = collector.fills.source;
            let (looks_at, is_for_run) = match collector.collect {
                Collect::Bill(_) | Collect::Files(_) => ("billing files", true),
                Collect::Account(_) => ("accounts", false),
            };
            if (collector.fills.extent == Extent::Run) != is_for_run {
                let (collector, kind, extent) = (collector.id, collector.fills.name, collector.fills.extent.as_str());
                return Err(CollectorRegistryError::Extent { collector, kind, extent, looks_at });
            }
            if matches!(collector.collect, Collect::Account(_)) && registry.provider(source).is_none() {
                return Err(CollectorRegistryError::NoProvider {
                    collector: collector.id,
                    source_name: source.as_str(),
                });
            }
        }
        Ok(registry)
    }

    /// All of them, sorted by id.
    #[must_use]
    pub fn all(&self) -> &[Collector] {
        &self.collectors
    }

    /// The collector that fills this kind of inventory.
    #[must_use]
    pub fn filling(&self, kind: InventoryKind) -> Option<Collector> {
        self.collectors.iter().copied().find(|collector| collector.fills == kind)
    }

    /// How to get at the accounts of this source.
    #[must_use]
    pub fn provider(&self, source: Source) -> Option<Provider> {
        self.providers.iter().copied().find(|provider| provider.source == source)
    }

    /// Permissions of the provider that collecting these kinds of inventories uses, connecting included; sorted.
    #[must_use]
    pub fn actions(&self, kinds: &[InventoryKind]) -> BTreeSet<&'static str> {
        let connecting =
            kinds.iter().filter_map(|kind| self.provider(kind.source)).flat_map(|provider| provider.actions);
        let collecting = kinds.iter().filter_map(|kind| self.filling(*kind)).flat_map(|collector| collector.actions);
        connecting.chain(collecting).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use inventories::collected::Unavailable;

    use super::*;

    const fn kind(name: &'static str) -> InventoryKind {
        InventoryKind { name, source: Source::Aws, extent: Extent::Region }
    }

    fn collector(id: &'static str, name: &'static str) -> Collector {
        Box::leak(Box::new(CollectorRegistration {
            id,
            fills: kind(name),
            what: "",
            actions: &["ec2:DescribeVolumes"],
            collect: Collect::Account(|_| Err(Unavailable::failed(""))),
        }))
    }

    fn provider() -> Provider {
        static PROVIDER: ProviderRegistration = ProviderRegistration {
            source: Source::Aws,
            actions: &["sts:GetCallerIdentity"],
            connect: |_| Err(Unavailable::failed("")),
        };
        &PROVIDER
    }

    #[track_caller]
    fn check(collectors: &[Collector], providers: &[Provider], expected: &str) {
        let registry = CollectorRegistry::new(collectors.iter().copied(), providers.iter().copied());
        assert_eq!(registry.unwrap_err().to_string(), expected);
    }

    #[test]
    fn all_are_sorted_by_id_and_found_by_what_they_fill() {
        let registry = CollectorRegistry::new([collector("b", "disks"), collector("a", "nets")], [provider()]).unwrap();
        assert_eq!(registry.all().iter().map(|collector| collector.id).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(registry.filling(kind("disks")).map(|collector| collector.id), Some("b"));
        assert!(registry.filling(kind("other")).is_none());
        let actions: Vec<_> = registry.actions(&[kind("disks")]).into_iter().collect();
        assert_eq!(actions, ["ec2:DescribeVolumes", "sts:GetCallerIdentity"]);
    }

    #[test]
    fn what_does_not_fit_together_is_an_error() {
        check(&[], &[provider()], "no collector is registered: the crate that holds them is not linked in");
        let twice = "\"disks\" is registered twice: by collector a and by collector b";
        check(&[collector("b", "disks"), collector("a", "disks")], &[provider()], twice);
        let twice = "\"a\" is registered twice: by collector a and by collector a";
        check(&[collector("a", "disks"), collector("a", "nets")], &[provider()], twice);
        check(&[collector("a", "disks")], &[provider(), provider()], "two providers of the AWS API are registered");
        let fills = InventoryKind { extent: Extent::Run, ..kind("disks") };
        let for_the_run = CollectorRegistration { fills, ..*collector("a", "disks") };
        let unfit = "collector a fills disks, which is once for the run, and looks at accounts";
        check(&[Box::leak(Box::new(for_the_run))], &[provider()], unfit);
        let lacking = "collector a looks at accounts of the AWS API, and no provider of them is registered";
        check(&[collector("a", "disks")], &[], lacking);
    }
}
