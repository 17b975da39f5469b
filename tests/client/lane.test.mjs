// What `graylane client --lang typescript` prints, compiled by tsc and run: who gets the headers, and who does not.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

const { GRAYLANE, TSC } = process.env;
const here = import.meta.dirname;
const { hosts, addresses } = JSON.parse(readFileSync(join(here, "hosts.json"), "utf8"));
const strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--noUnusedLocals", "--noImplicitReturns",
  "--target", "es2022", "--module", "es2022", "--lib", "es2022,dom,dom.iterable"];
const folder = mkdtempSync(join(tmpdir(), "graylane-client-"));
const lane = () => ({ tenant: "gray-v1", user: "user-1" });
/** What servers were sent, in order. */
let seen = [];
let ours, theirs, client;

/** Answers `/to/STATUS/ADDRESS` with a redirect there, and everything else with 200. */
function serve() {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      seen.push({ port: server.address().port, method, url, body, headers });
      const [, status, to] = /^\/to\/(\d+)\/(.*)$/.exec(url) ?? [];
      response.writeHead(status ? Number(status) : 200, status ? { location: decodeURIComponent(to) } : {}).end("text");
    });
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}

const at = (server, path) => `http://127.0.0.1:${server.address().port}${path}`;
const to = (status, address) => `/to/${status}/${encodeURIComponent(address)}`;
const sent = (name) => seen.map(({ headers }) => headers[name]);

function compile(source, name, expected = 0) {
  writeFileSync(join(folder, name), source);
  let said = "";
  try {
    execFileSync(process.execPath, [TSC, ...strict, "--outDir", folder, join(folder, name)], { encoding: "utf8" });
  } catch (error) {
    said = error.stdout;
  }
  assert.equal(said !== "", expected !== 0, said);
  return said;
}

before(async () => {
  [ours, theirs] = [await serve(), await serve()];
  const given = [...hosts, at(ours, "")].flatMap((host) => ["--host", host]);
  const args = ["client", "-f", join(here, "graylane.yaml"), "--lang", "typescript", "--with-rollout", "web", ...given];
  const code = execFileSync(GRAYLANE, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  compile(code, "lane.ts");
  client = await import(pathToFileURL(join(folder, "lane.js")));
});
after(() => {
  for (const server of [ours, theirs]) {
    server?.closeAllConnections();
    server?.close();
  }
  rmSync(folder, { recursive: true });
});

test("types know the tenants", () => {
  const wrong = compile('import type { Lane } from "./lane.js";\nexport const lane: Lane = { tenant: "blue" };\n', "wrong.ts", 2);
  assert.match(wrong, /"blue"' is not assignable to type '"default" \| "gray-v1" \| "gray.v1" \| undefined'/);
  assert.deepEqual([client.isTenant("gray-v1"), client.isTenant("blue")], [true, false]);
  assert.deepEqual(client.ROLLOUTS, { web: { canary: 2.5, stable: 97.5 } });
});

test("an address is of the file's hosts, or it is not", () => {
  for (const [address, is] of addresses) assert.equal(client.isOurs(address), is, address);
  for (const odd of ["blob:https://shop.example.com/1", "data:text/plain,x", "https://.apps.example.com/"]) {
    assert.equal(client.isOurs(odd), false, odd);
  }
});

test("only the file's hosts get the headers, and others are called as without the wrapper", async () => {
  const calls = [];
  const fetch = client.laneFetch(lane, async (...call) => (calls.push(call), new Response("text")));
  for (const [address] of addresses.filter(([address]) => !address.includes("@"))) await fetch(address);
  for (const [index, [address, is]] of addresses.filter(([address]) => !address.includes("@")).entries()) {
    const [input] = calls[index];
    if (is) assert.deepEqual([input.headers.get("tenant"), input.headers.get("x-user-id")], ["gray-v1", "user-1"], address);
    else assert.equal(input, address);
  }
  const init = { method: "POST", body: "text", headers: { tenant: "theirs" } };
  await fetch("https://evil.example/", init);
  assert.equal(calls.at(-1)[1], init, "what the caller says to others stays");
});

test("parts that are undefined are not sent, and the lane may change", async () => {
  seen = [];
  let now = {};
  const fetch = client.laneFetch(() => now);
  await fetch(at(ours, "/a"), { headers: { "x-own": "1" } });
  now = lane();
  await fetch(new Request(at(ours, "/b"), { method: "PUT", body: "text" }));
  assert.deepEqual(sent("tenant"), [undefined, "gray-v1"]);
  assert.deepEqual(sent("x-user-id"), [undefined, "user-1"]);
  assert.deepEqual([seen[0].headers["x-own"], seen[1].method, seen[1].body], ["1", "PUT", "text"]);
});

test("fetch itself takes the headers to another host: that is why the wrapper follows redirects", async () => {
  seen = [];
  await fetch(at(ours, to(302, at(theirs, "/"))), { headers: { tenant: "gray-v1" } });
  assert.deepEqual(sent("tenant"), ["gray-v1", "gray-v1"]);
});

test("a redirect to another host goes without the headers, and back again with them", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    seen = [];
    const back = at(theirs, to(status, at(ours, "/end")));
    const response = await client.laneFetch(lane)(at(ours, to(status, back)), { headers: { authorization: "secret", "x-own": "1" } });
    assert.equal(await response.text(), "text");
    assert.deepEqual(sent("tenant"), ["gray-v1", undefined, "gray-v1"], status);
    assert.deepEqual(sent("x-user-id"), ["user-1", undefined, "user-1"], status);
    assert.deepEqual(sent("authorization"), ["secret", undefined, undefined], status);
    assert.deepEqual(sent("x-own"), ["1", "1", "1"], status);
  }
});

test("redirects of one host keep the headers; methods and bodies go as fetch does it", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    for (const method of ["GET", "POST", "PUT"]) {
      const init = { method, ...(method === "GET" ? {} : { body: "text", headers: { "content-type": "text/x" } }) };
      const runs = [];
      for (const one of [fetch, client.laneFetch(lane)]) {
        seen = [];
        await one(at(ours, to(status, "/end")), init);
        runs.push(seen.map(({ method, body, headers }) => [method, body, headers["content-type"]]));
      }
      assert.deepEqual(runs[1], runs[0], `${status} ${method}`);
      assert.deepEqual(sent("tenant"), ["gray-v1", "gray-v1"], `${status} ${method}`);
    }
  }
});

test("a loop ends, an odd scheme is refused, and a signal ends it all", async () => {
  const fetch = client.laneFetch(lane);
  const loop = client.laneFetch(lane, async () => new Response(null, { status: 302, headers: { location: "/again" } }));
  await assert.rejects(loop(at(ours, "/")), /too many redirects/);
  await assert.rejects(fetch(at(ours, to(302, "file:///etc/passwd"))), /redirects to file:/);
  await assert.rejects(fetch(at(ours, "/"), { signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("a caller's own way with redirects stays", async () => {
  seen = [];
  const fetch = client.laneFetch(lane);
  const response = await fetch(at(ours, to(302, at(theirs, "/"))), { redirect: "manual" });
  assert.deepEqual([response.status, sent("tenant")], [302, ["gray-v1"]]);
  await assert.rejects(fetch(at(ours, to(302, at(theirs, "/"))), { redirect: "error" }), TypeError);
  assert.equal(seen.length, 2);
});

test("where a redirect cannot be looked into, as in a browser, it is not followed", async () => {
  const opaque = { type: "opaqueredirect", status: 0, headers: new Headers(), body: null };
  let redirect;
  const fetch = client.laneFetch(lane, async (request) => ((redirect = request.redirect), opaque));
  await assert.rejects(fetch("https://shop.example.com/"), /redirects: call the address that it leads to/);
  assert.equal(redirect, "manual");
});
