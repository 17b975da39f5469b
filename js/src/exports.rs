//! All of it as functions of JavaScript. Values cross as JSON, which both sides read and write by themselves.

use js_sys::{Error, JSON, Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;

use crate::failure::Failure;
use crate::file::{self, File};
use crate::sticky;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

/// A value of JavaScript as one of ours; `undefined` is null.
fn taken<T: DeserializeOwned>(name: &str, value: &JsValue) -> Result<T, JsValue> {
    let text = if value.is_undefined() { None } else { Some(String::from(JSON::stringify(value)?)) };
    serde_json::from_str(text.as_deref().unwrap_or("null")).map_err(|error| {
        let error = error.to_string();
        // Behind this it says where in a text that no caller has seen.
        let what = error.split_once(" at line ").map_or(&*error, |(what, _)| what);
        thrown(Failure::of(format!("{name}: {what}")))
    })
}

/// As [`taken`], for options: none are the default ones.
fn options<T: DeserializeOwned + Default>(value: &JsValue) -> Result<T, JsValue> {
    Ok(taken::<Option<T>>("options", value)?.unwrap_or_default())
}

fn given(value: &impl Serialize) -> Result<JsValue, JsValue> {
    JSON::parse(&graylane_mesh::serialise::json_text(value))
}

fn thrown(Failure { message, findings }: Failure) -> JsValue {
    let error = Error::new(&message);
    error.set_name("GraylaneError");
    let findings = given(&findings).unwrap_or(JsValue::NULL);
    // An error of ours has no setter that could refuse.
    let _ = Reflect::set(&error, &"findings".into(), &findings);
    error.into()
}

/// A key: text, or bytes.
fn bytes(key: &JsValue) -> Result<Vec<u8>, JsValue> {
    match (key.as_string(), key.dyn_ref::<Uint8Array>()) {
        (Some(text), _) => Ok(text.into_bytes()),
        (None, Some(bytes)) => Ok(bytes.to_vec()),
        (None, None) => Err(thrown(Failure::of("key: expected a string or a Uint8Array"))),
    }
}

/// Everything that `graylane check` finds in files, in their order. Never throws for what is wrong with a file.
#[wasm_bindgen(unchecked_return_type = "Finding[]")]
pub fn check(
    #[wasm_bindgen(unchecked_param_type = "Layer[]")] files: &JsValue,
    #[wasm_bindgen(unchecked_optional_param_type = "ReadOptions")] options: &JsValue,
) -> Result<JsValue, JsValue> {
    given(&file::findings(taken("files", files)?, &self::options(options)?))
}

/// Reads and checks files, once for all questions about them. Throws a GraylaneError with all findings if one is an error.
#[wasm_bindgen]
pub fn open(
    #[wasm_bindgen(unchecked_param_type = "Layer[]")] files: &JsValue,
    #[wasm_bindgen(unchecked_optional_param_type = "ReadOptions")] options: &JsValue,
) -> Result<Mesh, JsValue> {
    File::open(taken("files", files)?, &self::options(options)?).map(Mesh).map_err(thrown)
}

/// A file without errors.
#[wasm_bindgen]
pub struct Mesh(File);

#[wasm_bindgen]
impl Mesh {
    /// Warnings and notes of `graylane check`.
    #[wasm_bindgen(getter, unchecked_return_type = "Finding[]")]
    pub fn findings(&self) -> Result<JsValue, JsValue> {
        given(&self.0.findings)
    }

    /// Where a request goes, hop by hop, as `graylane explain`.
    #[wasm_bindgen(unchecked_return_type = "Explained")]
    pub fn explain(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Request")] request: &JsValue,
    ) -> Result<JsValue, JsValue> {
        given(&self.0.explain(taken("request", request)?).map_err(thrown)?)
    }

    /// A user's side in each rollout, as `graylane user`. The key: the user's value of the file's sticky key.
    #[wasm_bindgen(unchecked_return_type = "User")]
    pub fn user(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] key: &JsValue,
    ) -> Result<JsValue, JsValue> {
        given(&self.0.user(&bytes(key)?).map_err(thrown)?)
    }

    /// Who moves when weights change, as `graylane simulate`.
    #[wasm_bindgen(unchecked_return_type = "Simulated")]
    pub fn simulate(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Change")] change: &JsValue,
    ) -> Result<JsValue, JsValue> {
        given(&self.0.simulate(&taken("change", change)?).map_err(thrown)?)
    }

    /// Where each of the users that `simulate` counts was and is; at most 10,000.
    #[wasm_bindgen(unchecked_return_type = "Crowd")]
    pub fn crowd(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Change & { users: number }")] change: &JsValue,
    ) -> Result<JsValue, JsValue> {
        given(&self.0.crowd(&taken("change", change)?).map_err(thrown)?)
    }

    /// What there is in the file, for those who choose from it.
    #[wasm_bindgen(unchecked_return_type = "Outline")]
    pub fn outline(&self) -> Result<JsValue, JsValue> {
        given(&self.0.outline())
    }

    /// The Istio resources, in the order in which they are safely applied, as `graylane render`.
    #[wasm_bindgen(unchecked_return_type = "Resource[]")]
    pub fn render(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "RenderOptions")] options: &JsValue,
    ) -> Result<JsValue, JsValue> {
        given(&self.0.render(self::options(options)?).map_err(thrown)?)
    }
}

/// The unit of a user: the hash of their key under `sticky.salt`, 16 lowercase hex digits.
#[wasm_bindgen]
pub fn unit(
    #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] key: &JsValue,
    salt: &str,
) -> Result<String, JsValue> {
    Ok(sticky::unit(&bytes(key)?, salt))
}

/// The unit of a user where units are keyed (`sticky.hash: keyed`). `hashKey`: 32 lowercase hex digits.
#[wasm_bindgen(js_name = keyedUnit)]
pub fn keyed_unit(
    #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] key: &JsValue,
    salt: &str,
    #[wasm_bindgen(js_name = hashKey)] hash_key: &str,
) -> Result<String, JsValue> {
    sticky::keyed_unit(&bytes(key)?, salt, hash_key).map_err(thrown)
}

/// The bucket of a unit under the salt of a rollout, 0 to 9999.
#[wasm_bindgen]
pub fn bucket(unit: &str, salt: &str) -> Result<u16, JsValue> {
    sticky::bucket(unit, salt).map_err(thrown)
}

/// The subset of a bucket: a canary, or the baseline.
#[wasm_bindgen]
pub fn subset(
    bucket: f64,
    baseline: &str,
    #[wasm_bindgen(unchecked_param_type = "Record<string, Weight>")] weights: &JsValue,
) -> Result<String, JsValue> {
    sticky::subset(bucket, baseline, &taken("weights", weights)?).map_err(thrown)
}

/// The version of the package, which is that of `graylane`.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
