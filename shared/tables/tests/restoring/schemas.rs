//! The random schemas that reading is tested with.

#[expect(dead_code, reason = "facts are compared as a whole")]
#[path = "../schemas/facts.rs"]
pub mod facts;
#[path = "../schemas/postgres/mod.rs"]
pub mod postgres;
#[path = "../schemas/random.rs"]
pub mod random;
