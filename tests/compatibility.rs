//! A file that uses nothing new is told to filters as it was before, byte for byte but for the revision: `compat/` has what
//! the program of commit cd95fc1 wrote for every example, and the filter of then reads what is written now.

use std::collections::BTreeMap;
use std::path::Path;

use graylane::document::model::DebugHeader;
use graylane::lower;
use graylane::mesh::Mesh;
use graylane_decide::Role;
use graylane_decide::config::OLDEST_VERSION;

const WRITTEN: &str = include_str!("compat/plugin-configs.json");

fn mesh(example: &str) -> Mesh {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(example);
    let file = folder.join("graylane.yaml");
    let path = if file.exists() { file } else { folder };
    let loaded = graylane::document::load(&[path]).unwrap();
    let mut mesh = Mesh::of(&graylane::check::open(loaded).checked().unwrap());
    if example == "shop" {
        // As the example was then: for everybody.
        mesh.document.telemetry.debug_header = DebugHeader::Everybody(true);
    }
    mesh
}

#[test]
fn what_uses_nothing_new_is_written_as_before() {
    let written: BTreeMap<String, String> = serde_json::from_str(WRITTEN).unwrap();
    assert!(written.len() >= 32);
    for (name, before) in &written {
        let (example, role) = name.split_once(' ').unwrap();
        let mut config = lower::config(&mesh(example), Role::named(role.as_bytes()).unwrap());
        config.revision.clear();
        assert_eq!(config.version, OLDEST_VERSION);
        assert_eq!(&serde_json::to_string(&config).unwrap(), before, "{name}");
    }
}
