//! The PostgreSQL error codes that affect decisions, named as in its documentation, appendix A.

pub(crate) const PROTOCOL_VIOLATION: &str = "08P01";
pub(crate) const INVALID_TEXT_REPRESENTATION: &str = "22P02";
pub(crate) const NOT_NULL_VIOLATION: &str = "23502";
pub(crate) const FOREIGN_KEY_VIOLATION: &str = "23503";
pub(crate) const UNIQUE_VIOLATION: &str = "23505";
pub(crate) const CHECK_VIOLATION: &str = "23514";
pub(crate) const EXCLUSION_VIOLATION: &str = "23P01";
pub(crate) const DEPENDENT_OBJECTS_STILL_EXIST: &str = "2BP01";
pub(crate) const INVALID_CATALOG_NAME: &str = "3D000";
pub(crate) const INVALID_SCHEMA_NAME: &str = "3F000";
pub(crate) const SERIALIZATION_FAILURE: &str = "40001";
pub(crate) const DEADLOCK_DETECTED: &str = "40P01";
pub(crate) const INSUFFICIENT_PRIVILEGE: &str = "42501";
pub(crate) const SYNTAX_ERROR: &str = "42601";
pub(crate) const UNDEFINED_OBJECT: &str = "42704";
pub(crate) const UNDEFINED_FUNCTION: &str = "42883";
pub(crate) const UNDEFINED_TABLE: &str = "42P01";
pub(crate) const DISK_FULL: &str = "53100";
pub(crate) const OUT_OF_MEMORY: &str = "53200";
pub(crate) const CONFIGURATION_LIMIT_EXCEEDED: &str = "53400";
pub(crate) const OBJECT_IN_USE: &str = "55006";
pub(crate) const LOCK_NOT_AVAILABLE: &str = "55P03";
pub(crate) const QUERY_CANCELED: &str = "57014";
pub(crate) const DATABASE_DROPPED: &str = "57P04";
