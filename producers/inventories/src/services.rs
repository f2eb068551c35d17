//! What one checker may look at: the inventories it needs, of its account and region. Inventories, not clients: a checker
//! cannot call out from here, and sees no other account.

use std::sync::Arc;

use crate::collected::{Collected, CollectionReport, Unavailable};
use crate::kind::{ANY, Inventory, InventoryKind};

/// The inventories that one checker needs in one account and region.
#[derive(Default)]
pub struct Services(Vec<Slot>);

struct Slot {
    kind: InventoryKind,
    region: String,
    content: Result<Arc<Collected>, Unavailable>,
}

impl Services {
    /// Nothing but this inventory, seen whole.
    #[must_use]
    pub fn of<T: Inventory>(inventory: T) -> Self {
        let mut services = Self::default();
        services.add(T::KIND, ANY, Ok(Arc::new(Collected::new(inventory, CollectionReport::default()))));
        services
    }

    /// Adds what became of the inventory of a region; `global` or `*` for kinds that have none.
    pub fn add(
        &mut self,
        kind: InventoryKind,
        region: impl Into<String>,
        content: Result<Arc<Collected>, Unavailable>,
    ) {
        self.0.push(Slot { kind, region: region.into(), content });
    }

    /// The inventory of a kind. A checker that is not regional reads kinds that are with [`Services::by_region`].
    ///
    /// # Errors
    /// It is not there, with the reason.
    pub fn get<T: Inventory>(&self) -> Result<&T, Unavailable> {
        let mut slots = self.slots::<T>();
        match (slots.next(), slots.next()) {
            (None, _) => Err(undeclared::<T>()),
            (Some(slot), None) => slot.inventory(),
            (Some(_), Some(_)) => Err(bug(&format!("there are {} of several regions", T::KIND.name))),
        }
    }

    /// The inventories of a kind that are there, by region. Each one that is not makes the outcome of the checker partial,
    /// without its doing.
    ///
    /// # Errors
    /// None is there: the reason of the first.
    pub fn by_region<T: Inventory>(&self) -> Result<Vec<(&str, &T)>, Unavailable> {
        let mut ready = Vec::new();
        let mut why = None;
        for slot in self.slots::<T>() {
            match slot.inventory() {
                Ok(inventory) => ready.push((slot.region.as_str(), inventory)),
                Err(reason) => why = why.or(Some(reason)),
            }
        }
        match (ready.is_empty(), why) {
            (true, None) => Err(undeclared::<T>()),
            (true, Some(why)) => Err(why),
            (false, _) => Ok(ready),
        }
    }

    /// What the collectors could not see of all these inventories, and the calls that they made.
    #[must_use]
    pub fn unseen(&self) -> CollectionReport {
        let mut all = CollectionReport::default();
        for slot in &self.0 {
            match &slot.content {
                Ok(collected) => all.merge(&collected.report),
                Err(why) => {
                    all.denied_operations.extend(why.denied_operations.iter().cloned());
                    all.throttled_operations.extend(why.throttled_operations.iter().cloned());
                    all.gaps.push(format!("{} of {}: {}", slot.kind.name, slot.region, why.reason));
                }
            }
        }
        all
    }

    fn slots<T: Inventory>(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter().filter(|slot| slot.kind == T::KIND)
    }
}

impl Slot {
    fn inventory<T: Inventory>(&self) -> Result<&T, Unavailable> {
        let collected = self.content.as_ref().map_err(Unavailable::clone)?;
        collected.inventory().ok_or_else(|| bug(&format!("what was collected as {} is something else", T::KIND.name)))
    }
}

fn undeclared<T: Inventory>() -> Unavailable {
    bug(&format!("the checker does not declare that it needs {}", T::KIND.name))
}

fn bug(what: &str) -> Unavailable {
    Unavailable::failed(format!("bug: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Extent, Source};

    struct Disks(u8);

    impl Inventory for Disks {
        const KIND: InventoryKind = InventoryKind { name: "disks", source: Source::Aws, extent: Extent::Region };
    }

    struct Buckets;

    impl Inventory for Buckets {
        const KIND: InventoryKind = InventoryKind { name: "buckets", source: Source::Aws, extent: Extent::Account };
    }

    fn disks(n: u8) -> Result<Arc<Collected>, Unavailable> {
        let report = CollectionReport {
            denied_operations: ["ec2:DescribeTags".to_owned()].into(),
            api_calls: 2,
            ..CollectionReport::default()
        };
        Ok(Arc::new(Collected::new(Disks(n), report)))
    }

    #[test]
    fn one_inventory_is_got() {
        assert_eq!(Services::of(Disks(7)).get::<Disks>().map(|disks| disks.0), Ok(7));
        let error = Services::of(Buckets).get::<Disks>().map(|disks| disks.0).unwrap_err();
        assert_eq!(error.reason, "bug: the checker does not declare that it needs disks");
    }

    #[test]
    fn regions_that_are_not_there_are_never_read_as_empty_ones() {
        let mut services = Services::default();
        services.add(Disks::KIND, "a", disks(1));
        services.add(Disks::KIND, "b", Err(Unavailable::failed("no answer")));
        let read = services.by_region::<Disks>().unwrap();
        assert_eq!(read.iter().map(|(region, disks)| (*region, disks.0)).collect::<Vec<_>>(), [("a", 1)]);
        let unseen = services.unseen();
        assert_eq!(unseen.gaps, ["disks of b: no answer"]);
        assert_eq!((unseen.api_calls, unseen.denied_operations.len()), (2, 1));
        assert_eq!(services.get::<Disks>().map(|_| ()).unwrap_err().reason, "bug: there are disks of several regions");

        let mut none = Services::default();
        none.add(Disks::KIND, "b", Err(Unavailable::failed("no answer")));
        assert_eq!(none.by_region::<Disks>().map(|_| ()).unwrap_err().reason, "no answer");
        assert!(Services::default().by_region::<Disks>().is_err());
    }

    #[test]
    fn what_is_collected_as_something_else_is_a_bug() {
        let mut services = Services::default();
        services.add(Buckets::KIND, "global", disks(1));
        let error = services.get::<Buckets>().map(|_| ()).unwrap_err();
        assert_eq!(error.reason, "bug: what was collected as buckets is something else");
    }
}
