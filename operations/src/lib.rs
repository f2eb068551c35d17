//! What operators do to a pipeline that runs: dead letters sent again ([`resend::redrive`]), records judged again ([`replay`],
//! [`resend::wire`]), what is lost brought back ([`repair`]), topics recreated ([`recreate`]), and a look at how far the sinks are
//! ([`inspect`]).

pub mod inspect;
mod operator;
pub mod recreate;
pub mod repair;
pub mod replay;
pub mod resend;
pub mod selection;

pub use operator::Operator;
