//! Imports into the registry.
use crate::store::{Result, Store};
pub async fn recover(_store: &Store) -> Result<()> {
    Ok(())
}
