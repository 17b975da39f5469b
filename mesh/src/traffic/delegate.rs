//! Rules that another VirtualService is asked for, merged as istiod merges them (`mergeHTTPRoutes` in
//! istio/pilot/pkg/model/virtualservice.go): a rule whose matches contradict those of the one that delegates is left out.

use serde_json::{Map, Value as Json};

/// What a rule takes from the one that delegates to it, for fields that it lacks itself.
const INHERITED: [&str; 9] = [
    "rewrite",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirrorPercent",
    "mirrorPercentage",
    "corsPolicy",
    "headers",
];

/// A delegate's rules under a rule that delegates; each with its place in the delegate.
pub fn merged(root: &Json, delegate: &[Json]) -> Vec<(usize, Json)> {
    delegate.iter().enumerate().filter_map(|(place, rule)| Some((place, one(root, rule)?))).collect()
}

fn one(root: &Json, rule: &Json) -> Option<Json> {
    let mut fields = rule.as_object()?.clone();
    let matches = matches(root["match"].as_array(), rule["match"].as_array())?;
    fields.remove("match");
    if !matches.is_empty() {
        fields.insert("match".to_owned(), matches.into());
    }
    for key in INHERITED {
        if let Some(value) = root.get(key)
            && fields.get(key).is_none_or(Json::is_null)
        {
            fields.insert(key.to_owned(), value.clone());
        }
    }
    let name = [root["name"].as_str(), rule["name"].as_str()];
    let name: Vec<&str> = name.into_iter().flatten().filter(|name| !name.is_empty()).collect();
    if !name.is_empty() {
        fields.insert("name".to_owned(), name.join("-").into());
    }
    Some(fields.into())
}

fn matches(root: Option<&Vec<Json>>, rule: Option<&Vec<Json>>) -> Option<Vec<Json>> {
    let (root, rule) = (root.map_or(&[][..], Vec::as_slice), rule.map_or(&[][..], Vec::as_slice));
    if root.is_empty() || rule.is_empty() {
        return Some(if root.is_empty() { rule } else { root }.to_vec());
    }
    let mut all = Vec::new();
    for own in rule {
        let fitting: Vec<Json> =
            root.iter().filter(|root| !conflict(root, own)).map(|root| both(root, own)).collect();
        if fitting.is_empty() {
            return None;
        }
        all.extend(fitting);
    }
    Some(all)
}

fn both(root: &Json, own: &Json) -> Json {
    let mut fields = own.as_object().cloned().unwrap_or_default();
    for (key, value) in root.as_object().into_iter().flatten() {
        match key.as_str() {
            "headers" | "withoutHeaders" | "queryParams" => {
                let mut all = value.as_object().cloned().unwrap_or_default();
                all.extend(own[key].as_object().cloned().unwrap_or_default());
                fields.insert(key.clone(), all.into());
            }
            // Of the one that asks they do not count.
            "sourceLabels" | "sourceNamespace" | "gateways" => {}
            _ => {
                fields.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    fields.into()
}

fn conflict(root: &Json, own: &Json) -> bool {
    let text = |key: &str| texts_conflict(root.get(key), own.get(key));
    let map = |json: &Json| json.as_object().cloned().unwrap_or_default();
    let pairs = |of: &Json, against: &Json| {
        let against: Map<String, Json> = map(against);
        map(of).iter().any(|(name, own)| texts_conflict(against.get(name), Some(own)))
    };
    let folds = |json: &Json| json["ignoreUriCase"].as_bool().unwrap_or(false);
    ["uri", "scheme", "method", "authority"].into_iter().any(text)
        || pairs(&own["headers"], &root["headers"])
        || pairs(&own["withoutHeaders"], &root["headers"])
        || pairs(&own["queryParams"], &root["queryParams"])
        || folds(root) != folds(own)
        || matches!((root["port"].as_u64(), own["port"].as_u64()), (Some(a), Some(b)) if a != b)
}

fn texts_conflict(root: Option<&Json>, own: Option<&Json>) -> bool {
    let given = |json: Option<&Json>| json.filter(|json| !json.is_null()).cloned();
    let (Some(root), Some(own)) = (given(root), given(own)) else { return false };
    let text =
        |json: &Json, key: &str| json[key].as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    if text(&root, "regex").is_some() || text(&own, "regex").is_some() {
        return true;
    }
    if let Some(exact) = text(&root, "exact") {
        return text(&own, "prefix").is_some() || text(&own, "exact").as_ref() != Some(&exact);
    }
    let (Some(prefix), Some(longer)) = (text(&root, "prefix"), text(&own, "prefix").or(text(&own, "exact")))
    else {
        return true;
    };
    !longer.starts_with(&prefix)
}
