//! Tables that are derived for a tenant, in files that a manifest lists: read what is there, write what is new, replace the
//! manifest in one step. Knows files and manifests, not what a row means.

mod base;
mod publish;

pub(crate) use base::TableBase;
pub(crate) use publish::{Listed, Origin, Publication, Written};
