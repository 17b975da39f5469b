//! The order of the files of each crate: none imports another that leads back to it, except parent and child. Paths
//! inside macros are not read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, File, ItemMod, ItemUse, UseTree, Visibility};

const CRATES: [&str; 9] =
    ["decide", "serve", "mesh", "cli", "js", "filter", "native", "tests", "tests/cases"];

/// What the objects of Kubernetes stand on.
const READER: [&str; 6] =
    ["document::finding", "document::source", "document::tree", "document::tree::raw", "manifest", "plain"];

/// A file as a module: `["document", "model"]`; the root of the crate is empty.
type Module = Vec<String>;

/// What a file names.
#[derive(Default)]
struct Names {
    paths: Vec<Vec<String>>,
    /// Names that it hands on, and where they come from.
    handed_on: BTreeMap<String, Vec<String>>,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|one| one.path().is_ident("cfg") && one.parse_args::<syn::Ident>().is_ok_and(|is| is == "test"))
}

impl<'a> Visit<'a> for Names {
    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let hands_on = !matches!(item.vis, Visibility::Inherited);
        self.tree(&item.tree, &mut Vec::new(), hands_on);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

impl Names {
    fn tree(&mut self, tree: &UseTree, before: &mut Vec<String>, hands_on: bool) {
        let whole = |last: &syn::Ident| before.iter().cloned().chain([last.to_string()]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(&path.tree, before, hands_on);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(item, before, hands_on)),
            UseTree::Glob(_) => self.paths.push(before.clone()),
            UseTree::Name(name) => self.found(whole(&name.ident), name.ident.to_string(), hands_on),
            UseTree::Rename(name) => self.found(whole(&name.ident), name.rename.to_string(), hands_on),
        }
    }

    fn found(&mut self, mut path: Vec<String>, called: String, hands_on: bool) {
        // `document::{self}` is `document`.
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if hands_on {
            self.handed_on.insert(called, path.clone());
        }
        self.paths.push(path);
    }
}

fn files(folder: &Path, module: &Module, all: &mut BTreeMap<Module, Names>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner: Module = module.iter().cloned().chain([name.clone()]).collect();
        if path.is_dir() {
            files(&path, &inner, all);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && name != "tests"
            && name != "main"
        {
            let mut names = Names::default();
            let file: File = syn::parse_file(&std::fs::read_to_string(&path).unwrap()).unwrap();
            names.visit_file(&file);
            all.insert(if name == "lib" { Vec::new() } else { inner }, names);
        }
    }
}

/// The path from the crate's root. None: it leads out of the crate, or to something of the file itself.
fn absolute(from: &Module, path: &[String], all: &BTreeMap<Module, Names>) -> Option<Vec<String>> {
    let (mut base, mut path) = (from.clone(), path);
    match path.first()?.as_str() {
        "crate" => return Some(path[1..].to_vec()),
        "super" | "self" => {}
        first => {
            let child: Module = from.iter().cloned().chain([first.to_owned()]).collect();
            return all.contains_key(&child).then(|| from.iter().chain(path).cloned().collect());
        }
    }
    while let [first, rest @ ..] = path
        && (first == "super" || first == "self")
    {
        if first == "super" {
            base.pop();
        }
        path = rest;
    }
    Some(base.iter().chain(path).cloned().collect())
}

/// The file that a path ends in, through names that files hand on.
fn file_of(path: &[String], all: &BTreeMap<Module, Names>, depth: usize) -> Module {
    let end = (0..=path.len()).rev().find(|end| all.contains_key(&path[..*end])).unwrap_or(0);
    let file = path[..end].to_vec();
    let next = path.get(end).and_then(|name| all.get(&file)?.handed_on.get(name));
    match next.and_then(|next| absolute(&file, next, all)) {
        Some(next) if depth > 0 && next != path => {
            let next: Vec<String> = next.into_iter().chain(path[end + 1..].iter().cloned()).collect();
            file_of(&next, all, depth - 1)
        }
        _ => file,
    }
}

fn imports(folder: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut all = BTreeMap::new();
    files(folder, &Vec::new(), &mut all);
    let of = |(file, names): (&Module, &Names)| {
        let paths = names.paths.iter().filter_map(|path| absolute(file, path, &all));
        (file.clone(), paths.map(|path| file_of(&path, &all, 8)).filter(|to| to != file).collect())
    };
    all.iter().map(of).collect()
}

/// One of them is in the other, or in a folder of it.
fn are_related(a: &Module, b: &Module) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

/// Takes away what leads nowhere, until nothing does: what stays is in a circle, or leads into one.
fn circles(mut imports: BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    for (file, to) in &mut imports {
        to.retain(|to| !are_related(file, to));
    }
    loop {
        let ends: BTreeSet<Module> =
            imports.iter().filter(|(_, to)| to.is_empty()).map(|(file, _)| file.clone()).collect();
        if ends.is_empty() {
            let name = |file: &Module| file.join("::");
            let line = |(file, to): (&Module, &BTreeSet<Module>)| {
                format!("{} -> {}", name(file), to.iter().map(name).collect::<Vec<_>>().join(", "))
            };
            return imports.iter().map(line).collect();
        }
        imports.retain(|file, _| !ends.contains(file));
        imports.values_mut().for_each(|to| to.retain(|to| !ends.contains(to)));
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn no_file_imports_one_that_leads_back_to_it() {
    for name in CRATES {
        let found = imports(&root().join(name).join("src"));
        assert!(found.len() > 3, "{name}: {} files", found.len());
        assert_eq!(circles(found), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn kubernetes_objects_stand_on_the_yaml_reader_alone() {
    let found = imports(&root().join("mesh/src"));
    let mut below = BTreeSet::from([vec!["manifest".to_owned()]]);
    loop {
        let more: BTreeSet<Module> = below.iter().flat_map(|file| found[file].clone()).collect();
        if more.is_subset(&below) {
            break;
        }
        below.extend(more);
    }
    let below: Vec<String> = below.iter().map(|file| file.join("::")).collect();
    assert_eq!(below, READER);
}

#[test]
fn a_circle_is_found_through_a_name_that_is_handed_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    file("lib.rs", "mod a; mod b; mod c;");
    file("a.rs", "mod inner; pub use inner::Inner;");
    file("a/inner.rs", "use crate::{b::B, c}; pub struct Inner(B);");
    file("b.rs", "pub struct B; fn of(_: crate::a::Inner) {}");
    file("c.rs", "#[cfg(test)] mod tests { use crate::a::Inner; }");
    assert_eq!(circles(imports(folder.path())), ["a::inner -> b", "b -> a::inner"]);
}
