//! How a file makes units of users' keys: where two differ, every user gets another unit.

use crate::mesh::Mesh;

/// What units are made with, beside the user's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    salt: String,
    /// Id of the hash key; none: units are open.
    key: Option<String>,
}

impl Made {
    /// Of a file.
    #[must_use]
    pub fn of(mesh: &Mesh) -> Self {
        Self { salt: mesh.salt.clone(), key: mesh.document.sticky.used_key().map(|(id, _)| id.clone()) }
    }

    /// What is another one in this: the key of the file, before and after.
    pub fn differs(
        &self,
        other: &Self,
    ) -> impl Iterator<Item = (&'static str, Option<String>, Option<String>)> {
        let kind = |made: &Self| Some(if made.key.is_some() { "keyed" } else { "open" }.to_owned());
        let hash =
            (self.key.is_some() != other.key.is_some()).then(|| ("sticky.hash", kind(self), kind(other)));
        let key = (self.key != other.key && hash.is_none())
            .then(|| ("sticky.hashKey", self.key.clone(), other.key.clone()));
        let salt = (self.salt != other.salt)
            .then(|| ("sticky.salt", Some(self.salt.clone()), Some(other.salt.clone())));
        hash.into_iter().chain(key).chain(salt)
    }
}
