//! The routes of a file are one form: what is written for Istio says the same as what the model reads.

use std::path::{Path, PathBuf};

use graylane::document::finding::Findings;
use graylane::document::model::RouteForm;
use graylane::document::source::SourceFiles;
use graylane::import::{self, Choices, Found};
use graylane::mesh::Mesh;
use graylane::resources::{Options, Resource, resources};
use graylane::traffic::{self, Difference, World};
use graylane::{check, document};
use serde_json::Value as Json;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files of a folder, in order.
fn entries(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// Every example, the file with every form, and what `import` makes of what people have.
fn meshes() -> Vec<(PathBuf, Mesh)> {
    let files = entries("examples").into_iter().filter(|path| path.is_dir() && !path.ends_with("mistakes"));
    let files = files.chain([root().join("cli/tests/forms.yaml")]);
    let mut all: Vec<(PathBuf, Mesh)> = files
        .map(|path| (path.clone(), Mesh::of(&document::open(&[path]).unwrap().checked().unwrap())))
        .collect();
    for path in entries("cli/tests/samples") {
        let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
        let found = import::read(std::slice::from_ref(&path), &mut sources, &mut findings).unwrap();
        let imported = import::import(&Found::of(found), &Choices::default(), &sources).unwrap();
        let loaded = document::load_text("graylane.yaml", &imported.text.unwrap()).unwrap();
        let mesh = Mesh::of(&check::open(loaded).checked().unwrap());
        // HTTPRoutes are compared with VirtualServices elsewhere.
        if mesh.document.mesh.routes == RouteForm::VirtualService {
            all.push((path, mesh));
        }
    }
    all
}

#[test]
fn what_is_written_for_istio_is_what_the_routes_say() {
    let mut rules = 0;
    for (path, mesh) in meshes() {
        for without_filter in [false, true] {
            let options = Options { without_filter, ..Options::default() };
            let written: Vec<Json> = resources(&mesh, &options).iter().map(Resource::json).collect();
            let pods: Vec<&Json> = written.iter().filter(|json| json["kind"] == "DestinationRule").collect();
            let written = World::of(&written.iter().collect::<Vec<_>>(), &mesh.header);
            let routes = World::of_routes(&mesh, without_filter, &pods);
            let titles = |world: &World| -> Vec<String> {
                world.virtual_services.iter().map(|own| own.title.clone()).collect()
            };
            assert_eq!(titles(&written), titles(&routes), "{}", path.display());
            for (written, routes) in written.virtual_services.iter().zip(&routes.virtual_services) {
                assert_eq!((&written.hosts, &written.gateways), (&routes.hosts, &routes.gateways));
                assert_eq!(written.rules.len(), routes.rules.len(), "{}", written.title);
                for (written, routes) in written.rules.iter().zip(&routes.rules) {
                    assert_eq!(written.name, routes.name);
                    assert_eq!(format!("{:?}", written.matches), format!("{:?}", routes.matches));
                    assert_eq!(written.fields, routes.fields);
                    let shares = |rule: &traffic::Rule| -> Vec<String> {
                        let of = |(to, share): (&traffic::Destination, u64)| {
                            format!("{share} {} {:?} {:?} {}", to.host, to.subset, to.port, to.headers)
                        };
                        rule.shares().into_iter().map(of).collect()
                    };
                    assert_eq!(shares(written), shares(routes));
                    rules += 1;
                }
            }
            let differences = traffic::compare(&written, &routes).differences;
            assert_eq!(differences.iter().map(Difference::text).collect::<Vec<_>>(), [""; 0]);
        }
    }
    assert!(rules > 500, "{rules}");
}

/// What becomes of a request inside the mesh, in words.
fn answer(mesh: &Mesh, host: &str, headers: &[(&str, &str)]) -> String {
    let options = Options::default();
    let written: Vec<Json> = resources(mesh, &options).iter().map(Resource::json).collect();
    let world = World::of(&written.iter().collect::<Vec<_>>(), &mesh.header);
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let request = traffic::Request {
        headers: headers.collect(),
        ..traffic::Request::new(traffic::MESH, &format!("{host}.shop.svc.cluster.local"))
    };
    let rules = world.rules(&request.place, &request.host);
    world.answer(&request, rules.as_ref()).to_string()
}

#[test]
fn a_pin_of_a_route_with_a_baseline_of_its_own_leads_somewhere() {
    let path = root().join("cli/tests/forms.yaml");
    let mesh = Mesh::of(&document::open(&[path]).unwrap().checked().unwrap());
    let other = |tenant: &str| answer(&mesh, "stock", &[("x-other", "1"), ("tenant", tenant)]);
    assert!(other("partner").contains("version=v1"), "{}", other("partner"));
    assert!(other("green").contains("version=v2"), "{}", other("green"));
    let tried = answer(&mesh, "stock", &[("x-try", "1"), ("tenant", "gray-v1")]);
    assert!(tried.contains("(every pod)"), "canary or baseline: {tried}");
}

#[test]
fn a_route_for_some_tenants_takes_no_other_ones() {
    let path = root().join("cli/tests/forms.yaml");
    let mesh = Mesh::of(&document::open(&[path]).unwrap().checked().unwrap());
    let cart = |headers: &[(&str, &str)]| answer(&mesh, "cart", &[headers, &[("cookie", "a=b")]].concat());
    // By the route: half of them on the next version.
    assert!(cart(&[("tenant", "partner")]).contains("50 %"), "{}", cart(&[("tenant", "partner")]));
    // By the service: the pin of everybody else.
    let gray = cart(&[("tenant", "gray-v1")]);
    assert!(gray.contains("version=v2") && !gray.contains('%'), "{gray}");
    let nobody = cart(&[("tenant", "somebody-else")]);
    assert!(nobody.contains("version=v1") && !nobody.contains('%'), "{nobody}");
}
