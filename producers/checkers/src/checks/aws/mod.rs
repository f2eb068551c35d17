//! Checkers over inventories collected from the AWS API.

pub mod s3_lifecycle_missing;
pub mod s3_uploads_incomplete;
