//! What a VM keeps, what workers share, and what is used again.

use super::*;

/// Plugins come and go as configurations change; Envoy tells no entry point of ours, so this asks.
#[test]
fn what_a_plugin_that_is_gone_held_is_used_again() {
    let mut config = config(STICKY, Role::Outbound);
    let service = config.services.remove(0);
    for number in 0..500 {
        let mut service = service.clone();
        service.host = format!("service-{number}.shop.svc.cluster.local");
        config.services.push(service);
    }
    let mut vm = vm();
    let other = load(&mut vm, PLAIN, Role::Inbound);
    let mut sizes = Vec::new();
    for _ in 0..30 {
        let plugin = vm.load("outbound", &json(&config)).unwrap();
        let seen = send(&mut vm, plugin, &[":authority= service-7", "tenant= green", "x-request-id= a"]);
        assert!(header(&seen, "x-graylane-subset").is_some());
        vm.unload(plugin).unwrap();
        sizes.push(vm.memory_size());
    }
    assert_eq!(sizes[3], sizes[29], "{sizes:?}");
    assert_eq!(header(&send(&mut vm, other, &["tenant= blue"]), "tenant").as_deref(), Some("green"));
}

/// As Envoy does it: streams end in any order, some without a request, and plugins come and go between them. The crate
/// proxy-wasm panics at a context that it does not know, so this is what it has to know.
#[test]
fn contexts_come_and_go_in_any_order() {
    let mut vm = vm();
    let (mut plugins, mut begun) = (Vec::new(), Vec::new());
    for round in 0..40 {
        plugins.push(load(&mut vm, PLAIN, if round % 2 == 0 { Role::Inbound } else { Role::Outbound }));
        for plugin in &plugins {
            begun.push(vm.begin(*plugin).unwrap());
        }
        let newest = plugins[plugins.len() - 1];
        let seen = send(&mut vm, newest, &[":authority= api", "tenant= gray-v1"]);
        assert_eq!(header(&seen, "tenant").as_deref(), Some("gray-v1"));
        while begun.len() > 7 {
            vm.finish(begun.swap_remove(round % 5)).unwrap();
        }
        if plugins.len() > 3 {
            begun.drain(..).for_each(|stream| vm.finish(stream).unwrap());
            vm.unload(plugins.remove(round % 3)).unwrap();
        }
    }
}

/// The first request through a new VM finds compiled code, and what was made up for that is seen nowhere.
#[test]
fn what_warms_a_plugin_up_is_seen_nowhere() {
    for role in Role::ALL {
        let mut vm = vm();
        let plugin = load(&mut vm, STICKY, role);
        let keys: Vec<String> =
            vm.state().shared().keys().map(|key| String::from_utf8_lossy(key).into_owned()).collect();
        assert!(keys.iter().all(|key| key == "graylane/secret"), "{role:?}: {keys:?}");
        let counted = vm.state().metrics.keys().filter(|name| !name.contains("_config_")).count();
        assert_eq!(counted, 0, "{role:?}: {:?}", vm.state().metrics);
        let seen = send(&mut vm, plugin, &[":authority= api", "tenant= green"]);
        assert_eq!(header(&seen, "tenant").as_deref(), Some("green"));
    }
}

#[test]
fn workers_share_what_came_in_and_one_secret() {
    let shared = Arc::new(Mutex::new(Shared::default()));
    let (mut first, mut second) = (vm_of(&shared), vm_of(&shared));
    let inbound = load(&mut first, PLAIN, Role::Inbound);
    let outbound = load(&mut second, PLAIN, Role::Outbound);
    send(&mut first, inbound, &["tenant= gray-v1", "x-request-id= a"]);
    let seen = send(&mut second, outbound, &[":authority= api", "x-request-id= a"]);
    assert_eq!(header(&seen, "tenant").as_deref(), Some("gray-v1"));
    second.state().now += 30_001;
    let later = send(&mut second, outbound, &[":authority= api", "x-request-id= a"]);
    assert_eq!(header(&later, "tenant").as_deref(), Some("green"), "30 seconds later it is forgotten");
    let keys: Vec<String> =
        shared.lock().unwrap().keys().map(|key| String::from_utf8_lossy(key).into_owned()).collect();
    assert_eq!(keys.len(), 2, "one slot and the secret: {keys:?}");
    assert!(keys.contains(&"graylane/secret".to_owned()));
}

#[test]
fn the_memory_is_bounded_whatever_ids_arrive() {
    let mut vm = vm();
    let inbound = load(&mut vm, PLAIN, Role::Inbound);
    let mut remember = |ids: std::ops::Range<u32>| {
        for id in ids {
            send(&mut vm, inbound, &["tenant= gray-v1", &format!("x-request-id= {id}")]);
        }
        (vm.memory_size(), vm.state().metric("graylane_memory_evictions_total"))
    };
    let (warm, _) = remember(0..3_000);
    let (later, _) = remember(3_000..12_000);
    assert_eq!(warm, later, "the VM's own memory does not grow");
    assert!(vm.state().shared().keys().count() <= graylane_decide::memory::SLOTS as usize + 1);
}
