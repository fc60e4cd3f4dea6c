//! API keys: 256 random bits shown once, kept as SHA-256, revocable, never logged.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};

use super::Guli;
use super::error::{Result, ServiceError};
use crate::domain::actor::{Actor, Role, Scope};
use crate::domain::id::KeyId;
use crate::domain::said::say;
use crate::store::keys::{self, StoredKey};
use crate::store::{areas, organizations};

/// SHA-256 of a secret.
pub fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// The keys in memory: those in force are looked up by hash, so that nothing secret is compared.
#[derive(Debug, Default)]
pub struct KeyRing {
    in_force: ArcSwap<HashMap<[u8; 32], Arc<Actor>>>,
    /// Revoked ones too: what was done under them stays theirs.
    holders: ArcSwap<HashMap<KeyId, Arc<Actor>>>,
}

impl KeyRing {
    /// Replaces the keys.
    pub fn set(&self, keys: &[StoredKey], fixed: &[(&str, Actor)]) {
        let (mut in_force, mut holders) = (HashMap::new(), HashMap::new());
        let stored = keys.iter().map(|key| (key.hash, &key.actor, key.revoked_at.is_none()));
        let fixed = fixed.iter().map(|(secret, actor)| (hash(secret.as_bytes()), actor, true));
        for (hash, actor, opens) in stored.chain(fixed) {
            let actor = Arc::new(actor.clone());
            holders.extend(actor.key.map(|id| (id, Arc::clone(&actor))));
            if opens {
                in_force.insert(hash, actor);
            }
        }
        self.in_force.store(Arc::new(in_force));
        self.holders.store(Arc::new(holders));
    }

    /// Whether a key of this identity is in force.
    pub fn is_in_force(&self, id: KeyId) -> bool {
        self.in_force.load().values().any(|actor| actor.key == Some(id))
    }

    /// Who holds or held the key of this identity.
    pub fn holder(&self, id: KeyId) -> Option<Arc<Actor>> {
        self.holders.load().get(&id).cloned()
    }

    /// Who holds this key.
    pub fn find(&self, secret: &str) -> Option<Arc<Actor>> {
        self.in_force.load().get(&hash(secret.as_bytes())).cloned()
    }
}

/// A new key: the secret is shown here and never again.
#[derive(Debug)]
pub struct NewKey {
    pub id: KeyId,
    pub secret: String,
}

/// Roles whose scope must be of one kind.
fn check_scope(role: Role, scopes: &[Scope]) -> Result<()> {
    let needs = match role {
        Role::Crew => "unit:CODE",
        Role::Patrol | Role::GridLeader => "grid:CODE",
        Role::Officer => "subdistrict:CODE",
        Role::Resident => return Err(ServiceError::invalid("/role", say!("residents need no key", "居民不需要密钥"))),
        Role::Admin | Role::Planner => "everywhere | district:CODE",
        _ => "district:CODE | subdistrict:CODE | grid:CODE | unit:CODE",
    };
    let fits = |scope: &Scope| match role {
        // Only the demo's fixed keys have those.
        _ if matches!(scope, Scope::EveryUnit | Scope::EveryGrid) => false,
        Role::Crew => matches!(scope, Scope::Unit(_)),
        Role::Patrol | Role::GridLeader => matches!(scope, Scope::Grid(_)),
        Role::Officer => matches!(scope, Scope::Subdistrict(_)),
        Role::Admin | Role::Planner => matches!(scope, Scope::Everywhere | Scope::District(_)),
        _ => true,
    };
    if scopes.is_empty() || !scopes.iter().all(fits) {
        let role = role.as_str();
        let detail = say!("a key of role {role} needs scope {needs}", "角色为 {role} 的密钥，作用范围应为 {needs}");
        return Err(ServiceError::invalid("/scope", detail));
    }
    Ok(())
}

impl Guli {
    /// Makes a key. The command line alone may, by the right to the socket or the file.
    pub async fn create_key(&self, role: Role, scopes: Vec<Scope>, name: String) -> Result<NewKey> {
        check_scope(role, &scopes)?;
        self.scopes_exist(&scopes).await?;
        let secret = format!("guli_{}", hex(&super::clock::random::<32>()));
        let id = KeyId(self.context.clock.uuid());
        let key = StoredKey {
            id,
            hash: hash(secret.as_bytes()),
            actor: Actor { key: Some(id), role, name, scopes },
            created_at: self.context.clock.now(),
            revoked_at: None,
        };
        self.writer
            .alone(None, move |conn| Box::pin(async move { keys::insert(&mut conn.conn(), &key).await }), |()| ())
            .await?;
        self.reload_keys().await?;
        Ok(NewKey { id, secret })
    }

    /// A key for what does not exist would open nothing, or later somebody else's.
    async fn scopes_exist(&self, scopes: &[Scope]) -> Result<()> {
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        for scope in scopes {
            let exists = match scope {
                Scope::Unit(code) => organizations::known(conn, code).await?.is_some(),
                Scope::District(code) => areas::district(conn, *code).await?.is_some(),
                Scope::Subdistrict(code) => !areas::known(conn, code.district(), &[code.number()]).await?.is_empty(),
                Scope::Grid(code) => !areas::known(conn, code.district(), &[code.number()]).await?.is_empty(),
                Scope::Everywhere | Scope::EveryUnit | Scope::EveryGrid => true,
            };
            if !exists {
                return Err(ServiceError::invalid("/scope", say!("{scope} does not exist", "{scope} 不存在")));
            }
        }
        Ok(())
    }

    /// Revokes a key from this moment on.
    pub async fn revoke_key(&self, id: KeyId) -> Result<()> {
        let now = self.context.clock.now();
        let revoked = self
            .writer
            .alone(
                None,
                move |conn| Box::pin(async move { keys::revoke(&mut conn.conn(), id, now).await }),
                |revoked| revoked,
            )
            .await?;
        self.reload_keys().await?;
        if revoked { Ok(()) } else { Err(ServiceError::NotFound(say!("key {id}", "密钥 {id}"))) }
    }

    /// All keys, revoked ones too, without their secrets.
    pub async fn list_keys(&self) -> Result<Vec<StoredKey>> {
        Ok(keys::all(&mut self.store.read().await?.conn()).await?)
    }

    /// Reads the keys in force anew.
    pub async fn reload_keys(&self) -> Result<()> {
        let keys = self.list_keys().await?;
        self.keys.set(&keys, &self.fixed_keys);
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The demo's fixed keys. They open nothing beyond loopback, since the demo listens nowhere else.
pub fn demo_keys() -> Vec<(&'static str, Actor)> {
    let key = |number: u128, role, name: &str, scopes: Vec<Scope>| Actor {
        key: Some(KeyId(uuid::Uuid::from_u128(number))),
        role,
        name: name.to_owned(),
        scopes,
    };
    vec![
        ("demo-admin", key(1, Role::Admin, "demo-admin", vec![Scope::Everywhere])),
        ("demo-dispatcher", key(2, Role::Dispatcher, "demo-dispatcher", vec![Scope::Everywhere])),
        ("demo-grid", key(3, Role::GridLeader, "demo-grid", vec![Scope::EveryGrid])),
        ("demo-crew", key(4, Role::Crew, "demo-crew", vec![Scope::EveryUnit])),
        ("demo-planner", key(5, Role::Planner, "demo-planner", vec![Scope::Everywhere])),
    ]
}
