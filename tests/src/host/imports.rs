//! The functions that the module may import, each a line or two over [`State`].

use anyhow::Result;
use wasmi::errors::LinkerError;
use wasmi::{
    AsContext as _, AsContextMut as _, Caller, Error, Extern, ExternType, Func, Linker, Memory, Module, Store,
};

use super::state::{Reply, State};

/// `WasmResult` in proxy-wasm-cpp-host/include/proxy-wasm/wasm_api_impl.h.
const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const CAS_MISMATCH: u32 = 8;

type Host<'a> = Caller<'a, State>;

fn memory(host: &Host<'_>) -> Result<Memory, Error> {
    host.get_export("memory").and_then(Extern::into_memory).ok_or_else(|| Error::new("no memory"))
}

fn read(host: &Host<'_>, at: u32, size: u32) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; size as usize];
    memory(host)?.read(host, at as usize, &mut bytes).map_err(|_| Error::new("read outside of memory"))?;
    Ok(bytes)
}

fn text(host: &Host<'_>, at: u32, size: u32) -> Result<String, Error> {
    read(host, at, size).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn write(host: &mut Host<'_>, at: u32, bytes: &[u8]) -> Result<(), Error> {
    memory(host)?.write(host, at as usize, bytes).map_err(|_| Error::new("write outside of memory"))
}

/// Hands bytes over: allocated by the module, their place and size written where it asked for them. Nothing is
/// allocated for an empty value (`ContextBase`'s `copyToPointerSize`).
fn hand_over(host: &mut Host<'_>, bytes: &[u8], data: u32, size: u32) -> Result<u32, Error> {
    let mut place = 0;
    if !bytes.is_empty() {
        let allocate = host.get_export("proxy_on_memory_allocate").and_then(Extern::into_func);
        let allocate =
            allocate.ok_or_else(|| Error::new("no allocator"))?.typed::<u32, u32>(host.as_context())?;
        place = allocate.call(host.as_context_mut(), bytes.len() as u32)?;
        write(host, place, bytes)?;
        let calls = &mut host.data_mut().calls;
        calls.returning += 1;
        calls.plain -= 1;
    }
    write(host, data, &place.to_le_bytes())?;
    write(host, size, &(bytes.len() as u32).to_le_bytes())?;
    Ok(OK)
}

/// Counts a call; the status that a test wants it to fail with.
fn enter(host: &mut Host<'_>, name: &'static str) -> Option<u32> {
    let state = host.data_mut();
    state.calls.plain += 1;
    state.calls.names.push(name);
    state.fault.filter(|(faulty, _)| *faulty == name).map(|(_, status)| status)
}

/// Defines an import that is counted and can be made to fail.
macro_rules! import {
    ($linker:ident, $name:literal, |$host:ident $(, $argument:ident: $kind:ty)*| $body:block) => {
        $linker.func_wrap("env", $name, |mut caller: Host<'_> $(, $argument: $kind)*| -> Result<u32, Error> {
            if let Some(status) = enter(&mut caller, $name) {
                return Ok(status);
            }
            let $host = &mut caller;
            $body
        })?;
    };
}

/// The imports that belong to headers, and the encoding of their pairs.
fn add_headers(linker: &mut Linker<State>) -> Result<()> {
    import!(linker, "proxy_get_header_map_pairs", |host, map: u32, data: u32, size: u32| {
        let Some(stream) = &mut host.data_mut().stream else { return Ok(BAD_ARGUMENT) };
        let pairs = stream.map(map);
        let mut bytes = (pairs.len() as u32).to_le_bytes().to_vec();
        for (name, value) in pairs.iter() {
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend((value.len() as u32).to_le_bytes());
        }
        for (name, value) in pairs.iter() {
            bytes.extend(name.as_bytes().iter().chain(&[0]).chain(value).chain(&[0]));
        }
        hand_over(host, &bytes, data, size)
    });
    import!(
        linker,
        "proxy_replace_header_map_value",
        |host, map: u32, name: u32, name_size: u32, value: u32, value_size: u32| {
            let (name, value) = (text(host, name, name_size)?, read(host, value, value_size)?);
            let Some(stream) = &mut host.data_mut().stream else { return Ok(BAD_ARGUMENT) };
            stream.map(map).retain(|(other, _)| *other != name);
            stream.map(map).push((name, value));
            Ok(OK)
        }
    );
    import!(linker, "proxy_remove_header_map_value", |host, map: u32, name: u32, name_size: u32| {
        let name = text(host, name, name_size)?;
        let Some(stream) = &mut host.data_mut().stream else { return Ok(BAD_ARGUMENT) };
        stream.map(map).retain(|(other, _)| *other != name);
        Ok(OK)
    });
    import!(
        linker,
        "proxy_send_local_response",
        |host,
         status: u32,
         _details: u32,
         _details_size: u32,
         body: u32,
         body_size: u32,
         _headers: u32,
         _headers_size: u32,
         grpc_status: i32| {
            let body = text(host, body, body_size)?;
            let Some(stream) = &mut host.data_mut().stream else { return Ok(BAD_ARGUMENT) };
            stream.reply = Some(Reply { status, body, grpc_status });
            Ok(OK)
        }
    );
    Ok(())
}

fn add_values(linker: &mut Linker<State>) -> Result<()> {
    import!(linker, "proxy_get_property", |host, path: u32, path_size: u32, data: u32, size: u32| {
        let path = text(host, path, path_size)?;
        match host.data().property(&path) {
            Some(value) => hand_over(host, &value, data, size),
            None => Ok(NOT_FOUND),
        }
    });
    import!(linker, "proxy_set_property", |host, path: u32, path_size: u32, value: u32, value_size: u32| {
        let (path, value) = (text(host, path, path_size)?, text(host, value, value_size)?);
        let Some(stream) = &mut host.data_mut().stream else { return Ok(NOT_FOUND) };
        stream.state.push((path, value));
        Ok(OK)
    });
    import!(linker, "proxy_get_shared_data", |host,
                                              key: u32,
                                              key_size: u32,
                                              data: u32,
                                              size: u32,
                                              cas: u32| {
        let key = read(host, key, key_size)?;
        let value = host.data().shared().get(&key);
        match value {
            Some((value, number)) => {
                write(host, cas, &number.to_le_bytes())?;
                hand_over(host, &value, data, size)
            }
            None => Ok(NOT_FOUND),
        }
    });
    import!(linker, "proxy_set_shared_data", |host,
                                              key: u32,
                                              key_size: u32,
                                              value: u32,
                                              value_size: u32,
                                              cas: u32| {
        let (key, value) = (read(host, key, key_size)?, read(host, value, value_size)?);
        let stored = host.data().shared().set(&key, &value, cas);
        Ok(if stored { OK } else { CAS_MISMATCH })
    });
    import!(linker, "proxy_get_buffer_bytes", |host,
                                               kind: u32,
                                               _start: u32,
                                               _max: u32,
                                               data: u32,
                                               size: u32| {
        if kind != 7 {
            return Ok(BAD_ARGUMENT);
        }
        let configuration = host.data().configuration.clone();
        hand_over(host, &configuration, data, size)
    });
    Ok(())
}

fn change_metric(host: &mut Host<'_>, id: u32, change: impl Fn(&mut i64)) -> Result<u32, Error> {
    let state = host.data_mut();
    let Some(name) = (id as usize).checked_sub(1).and_then(|index| state.metric_names.get(index)) else {
        return Ok(NOT_FOUND);
    };
    change(state.metrics.entry(name.clone()).or_insert(0));
    Ok(OK)
}

fn add_metrics_and_clock(linker: &mut Linker<State>) -> Result<()> {
    import!(linker, "proxy_define_metric", |host, _kind: u32, name: u32, name_size: u32, id: u32| {
        let name = text(host, name, name_size)?;
        let state = host.data_mut();
        state.metrics.entry(name.clone()).or_insert(0);
        state.metric_names.push(name);
        let number = state.metric_names.len() as u32;
        write(host, id, &number.to_le_bytes())?;
        Ok(OK)
    });
    import!(linker, "proxy_increment_metric", |host, id: u32, offset: i64| {
        change_metric(host, id, |value| *value += offset)
    });
    import!(linker, "proxy_record_metric", |host, id: u32, is: u64| {
        change_metric(host, id, |value| *value = is.cast_signed())
    });
    import!(linker, "proxy_get_current_time_nanoseconds", |host, time: u32| {
        let now = host.data().now * 1_000_000;
        write(host, time, &now.to_le_bytes())?;
        Ok(OK)
    });
    import!(linker, "proxy_set_effective_context", |host, id: u32| {
        Ok(if host.data().contexts.contains(&id) { OK } else { BAD_ARGUMENT })
    });
    import!(linker, "proxy_log", |host, level: u32, message: u32, size: u32| {
        let message = text(host, message, size)?;
        host.data_mut().log.push((level, message));
        Ok(OK)
    });
    Ok(())
}

/// WASI, as far as Envoy has it and Rust's standard library asks for it.
fn add_wasi(linker: &mut Linker<State>) -> Result<()> {
    const WASI: &str = "wasi_snapshot_preview1";
    linker.func_wrap(WASI, "random_get", |mut host: Host<'_>, at: u32, size: u32| -> Result<u32, Error> {
        // Any fixed bytes will do: tests are to repeat.
        let bytes: Vec<u8> = (0..size).map(|index| index as u8 ^ 0x5a).collect();
        write(&mut host, at, &bytes)?;
        Ok(OK)
    })?;
    linker.func_wrap(
        WASI,
        "environ_sizes_get",
        |mut host: Host<'_>, count: u32, size: u32| -> Result<u32, Error> {
            let environment = &host.data().environment;
            let bytes: usize = environment.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
            let number = environment.len() as u32;
            write(&mut host, count, &number.to_le_bytes())?;
            write(&mut host, size, &(bytes as u32).to_le_bytes())?;
            Ok(OK)
        },
    )?;
    linker.func_wrap(
        WASI,
        "environ_get",
        |mut host: Host<'_>, places: u32, texts: u32| -> Result<u32, Error> {
            let (mut place, mut at) = (places, texts);
            for (name, value) in host.data().environment.clone() {
                let text = format!("{name}={value}\0");
                write(&mut host, place, &at.to_le_bytes())?;
                write(&mut host, at, text.as_bytes())?;
                place += 4;
                at += text.len() as u32;
            }
            Ok(OK)
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_write",
        |mut host: Host<'_>, _fd: u32, _vectors: u32, _count: u32, written: u32| -> Result<u32, Error> {
            write(&mut host, written, &0u32.to_le_bytes())?;
            Ok(OK)
        },
    )?;
    linker.func_wrap(
        WASI,
        "clock_time_get",
        |mut host: Host<'_>, _id: u32, _precision: u64, time: u32| -> Result<u32, Error> {
            let now = host.data().now * 1_000_000;
            write(&mut host, time, &now.to_le_bytes())?;
            Ok(OK)
        },
    )?;
    linker.func_wrap(WASI, "proc_exit", |_host: Host<'_>, code: u32| -> Result<(), Error> {
        Err(Error::new(format!("the module exited with {code}")))
    })?;
    Ok(())
}

/// The rest of the ABI, that graylane never uses: there to link, and a trap.
pub fn trap_the_rest(linker: &mut Linker<State>, store: &mut Store<State>, module: &Module) -> Result<()> {
    for import in module.imports() {
        let (from, name) = (import.module().to_owned(), import.name().to_owned());
        if let ExternType::Func(kind) = import.ty() {
            let message = format!("{from}.{name} was called");
            let trap = Func::new(&mut *store, kind.clone(), move |_, _, _| Err(Error::new(message.clone())));
            match linker.define(&from, &name, trap) {
                // It is one of those above.
                Ok(_) | Err(LinkerError::DuplicateDefinition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Everything that graylane calls.
pub fn add(linker: &mut Linker<State>) -> Result<()> {
    add_headers(linker)?;
    add_values(linker)?;
    add_metrics_and_clock(linker)?;
    add_wasi(linker)
}
