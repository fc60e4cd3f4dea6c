//! Reading the registry: areas, organisations, people, covers.

mod areas;
mod codes;
mod cover_history;
mod covers;
mod organizations;
mod people;

pub use cover_history::CoverVersion;
pub use covers::{CoverPage, is_in};
pub use people::{Contact, PersonRecord};

pub(super) use people::record_of;

use super::Guli;
use super::error::{Result, ServiceError};
use crate::domain::actor::{self, Action, Actor, Resource};
use crate::domain::id::DistrictCode;
use crate::domain::said::{Said, say};

impl Guli {
    fn authorize_anywhere(&self, actor: &Actor, action: Action, what: fn() -> Said) -> Result<Vec<DistrictCode>> {
        let mut allowed = Vec::new();
        let mut refused = actor::Refusal::Hidden;
        for district in self.districts() {
            match actor::authorize(actor, action, Resource::District(district)) {
                Ok(()) => allowed.push(district),
                Err(actor::Refusal::Hidden) => {}
                Err(other) => refused = other,
            }
        }
        if allowed.is_empty() { Err(ServiceError::refused(refused, what())) } else { Ok(allowed) }
    }

    /// Whether the caller may resolve more pins at once than anyone may.
    pub fn resolves_in_bulk(&self, actor: &Actor) -> bool {
        self.authorize_anywhere(actor, Action::ResolveInBulk, || say!("batches", "批量解析")).is_ok()
    }
}
