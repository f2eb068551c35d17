//! Proofs beyond the golden vectors: what is encoded is read back by two independent decoders, and what must hold
//! for every message is tried on many. Inside the crate, because rows are also made from records the contract refuses.

mod decoders;
mod properties;
mod roundtrip;
mod source_hygiene;
