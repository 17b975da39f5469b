// @graylane/core as somebody has it who installed it: what it answers is what golden vectors and the command line say.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import * as core from "@graylane/core";

const { GRAYLANE, ROOT, TSC } = process.env;
const here = import.meta.dirname;
const read = (path) => readFileSync(join(ROOT, path), "utf8");
const spawn = (...args) => spawnSync(GRAYLANE, args, { cwd: ROOT, encoding: "utf8" });
const json = (...args) => JSON.parse(spawn(...args, "--output", "json").stdout);

/** An example: what `-f` gets, its layers, and its services. */
function example(path) {
  const folder = () => readdirSync(join(ROOT, path)).filter((name) => name.endsWith(".yaml")).sort();
  const names = path.endsWith(".yaml") ? [path] : folder().map((name) => `${path}/${name}`);
  const files = names.map((name) => ({ name, text: read(name) }));
  const services = files.flatMap(({ text }) => {
    const [, block = ""] = /^services:\n((?: .*\n|\n|#.*\n)*)/m.exec(text) ?? [];
    return [...block.matchAll(/^ {2}([\w-]+):/gm)].map(([, name]) => name);
  });
  return { path, layers: names.length > 1 ? [files] : files, services };
}

const examples = readdirSync(join(ROOT, "examples"))
  .filter((name) => name !== "mistakes")
  .map((name) => (existsSync(join(ROOT, "examples", name, "graylane.yaml")) ? `examples/${name}/graylane.yaml` : `examples/${name}`))
  .map(example);
const shop = examples.find(({ path }) => path === "examples/shop/graylane.yaml");

/** A request as options of the command line. */
function options({ path, headers = {}, claims, drops = [], routes = {}, worker }) {
  return [
    `--path=${path}`,
    ...Object.entries(headers).map(([name, value]) => `--header=${name}: ${value}`),
    ...(claims ? [`--claim=${JSON.stringify(claims)}`] : []),
    ...drops.map((service) => `--drops=${service}`),
    ...Object.entries(routes).map(([service, route]) => `--route=${service}=${route}`),
    ...(worker ? [`--worker=${worker.name}`, `--tenant=${worker.tenant}`] : []),
  ];
}

/** Requests that any file has an answer to, and those that a file is an example of. */
function requests({ path, services }) {
  const special = {
    "examples/shop/graylane.yaml": [{ path: ["orders"], headers: { "x-user-id": "alice" }, routes: { orders: "checkout" } }],
    "examples/edge/graylane.yaml": [
      { path: ["gateway", "web"], headers: { "x-tester": "alice-7f3a9c" } },
      { path: ["gateway", "web"], claims: { role: "employee", sub: "alice" } },
    ],
    "examples/events/graylane.yaml": [{ path: ["ledger"], worker: { name: "invoice-mailer", tenant: "gray-v1" } }],
  };
  const gateways = { "examples/gateways/graylane.yaml": ["gateway:public", "gateway:partner"] }[path] ?? ["gateway"];
  const [first] = services;
  const each = services.slice(0, 8).flatMap((service) => [
    { path: [service], headers: { "x-user-id": "alice" } },
    { path: [first, service], headers: { tenant: "gray-v1", "x-request-id": "1" }, drops: [first] },
    ...gateways.map((gateway) => ({ path: [gateway, service], headers: { "x-user-id": "user-1", tenant: "gray-v1" } })),
  ]);
  // Out of the mesh: a file without services has an answer as well.
  return [...each, { path: ["www.example.com"], headers: { tenant: "gray-v1" } }, ...(special[path] ?? [])];
}

function table(name) {
  const [, ...rows] = read(`tests/vectors/${name}.csv`).trimEnd().split("\n");
  assert.ok(rows.length > 100, name);
  return rows.map((row) => row.split(","));
}

test("the sticky algorithm is that of the golden vectors", () => {
  for (const [key, salt, want] of table("units")) assert.equal(core.unit(Buffer.from(key, "hex"), salt), want);
  for (const [unit, salt, want] of table("buckets")) assert.equal(core.bucket(unit, salt), Number(want));
  for (const [bucket, baseline, canaries, want] of table("subsets")) {
    const weights = canaries.split(" ").map((canary) => canary.split(":"));
    const of = ([subset, buckets, from]) => [subset, { percent: Number(buckets) / 100, from }];
    assert.equal(core.subset(Number(bucket), baseline, Object.fromEntries(weights.map(of))), want);
  }
  for (const [hash, salt, key, want] of table("keyed")) assert.equal(core.keyedUnit(Buffer.from(key, "hex"), salt, hash), want);
  assert.throws(() => core.keyedUnit("a", "s", "s3cret"), (error) => /hashKey: expected 32/.test(error.message) && !/s3cret/.test(error.message));
  assert.equal(core.unit("größe", "s"), core.unit(new TextEncoder().encode("größe"), "s"));
});

test("explain answers as the command line does, for every example", () => {
  let count = 0;
  for (const it of examples) {
    const mesh = core.open(it.layers);
    for (const request of requests(it)) {
      const { hops, notes } = mesh.explain(request);
      const { stdout, stderr } = spawn("explain", "-f", it.path, "--output=json", ...options(request));
      assert.deepEqual({ hops }, JSON.parse(stdout), `${it.path} ${JSON.stringify(request)}`);
      for (const note of notes) assert.ok(stderr.includes(`note: ${note}`), note);
      count += 1;
    }
  }
  assert.ok(count > 100, `${count} requests`);
});

test("check, render, user and simulate answer as the command line does, for every example", () => {
  const url = "file:///graylane.wasm";
  for (const { path, layers } of [...examples, example("examples/mistakes/graylane.yaml")]) {
    const rows = core.check(layers).map(({ endLine, endColumn, ...row }) => row);
    const { stdout, status } = spawn("check", "-f", path, "--output=json");
    assert.deepEqual(rows, JSON.parse(stdout), path);
    if (status !== 0) continue;
    const mesh = core.open(layers);
    const rendered = spawn("render", "-f", path, "--wasm-url", url);
    const render = () => mesh.render({ wasmUrl: url }).map(({ yaml }) => `---\n${yaml}`).join("");
    if (rendered.status === 0) assert.equal(render(), rendered.stdout, path);
    else assert.throws(render, (error) => rendered.stderr.includes(error.message), path);
    const { unit, sides } = json("user", "alice", "-f", path);
    assert.deepEqual(mesh.user("alice"), { unit, sides: sides.map(({ since, ...side }) => side) }, path);
  }
  const mesh = core.open(shop.layers);
  const change = { service: "orders", to: { canary: 50 }, users: 5000 };
  assert.deepEqual(mesh.simulate(change), json("simulate", "orders", "-f", shop.path, "--to=canary=50", "--users=5000"));
});

test("errors carry the findings, and say what to write instead", () => {
  const mistakes = example("examples/mistakes/graylane.yaml");
  assert.throws(() => core.open(mistakes.layers), (error) => {
    assert.ok(error instanceof Error && error.name === "GraylaneError");
    assert.deepEqual(error.findings, core.check(mistakes.layers));
    assert.match(error.message, /= help: /);
    return true;
  });
  const mesh = core.open(shop.layers);
  const wrong = [
    [() => mesh.explain({ path: ["wbe"] }), "path: unknown service `wbe`: did you mean `web`?"],
    [() => mesh.explain({ pth: [] }), "request: unknown field `pth`, expected one of `path`, `headers`, `claims`, `drops`, `routes`, `worker`"],
    [() => mesh.user(7), "key: expected a string or a Uint8Array"],
    [() => core.bucket("7", ""), "unit: expected 16 lowercase hex digits, got `7`"],
    [() => core.subset(1, "stable", { canary: 200 }), "`canary`: expected percent from 0 to 100 with up to two decimals, got 200"],
  ];
  for (const [call, message] of wrong) assert.throws(call, { name: "GraylaneError", message, findings: null });
});

test("examples of the pages print what they show", () => {
  let count = 0;
  for (const page of ["docs/javascript.md", "js/package/README.md"]) {
    // Of the blocks in fences every other part is one; a program is followed by what it prints.
    const blocks = read(page).split(/^```/m).filter((_, index) => index % 2);
    for (const [index, block] of blocks.entries()) {
      if (!block.startsWith("js\n")) continue;
      const file = join(here, `page-${(count += 1)}.mjs`);
      writeFileSync(file, block.slice(3));
      assert.ok(blocks[index + 1]?.startsWith("text\n"), `${page}: a program without what it prints`);
      const shown = blocks[index + 1].slice(5);
      assert.equal(execFileSync(process.execPath, [file], { cwd: ROOT, encoding: "utf8" }), shown, page);
    }
  }
  assert.ok(count >= 3, `${count} examples`);
});

test("types fit what is returned, and are checked without those of browsers", () => {
  const mesh = core.open(shop.layers);
  const values = [
    ["Finding[]", core.check(example("examples/mistakes/graylane.yaml").layers)],
    ["User", mesh.user("alice")],
    ["Simulated", mesh.simulate({ service: "orders", to: { canary: 50 }, users: 100 })],
    ["Resource[]", mesh.render({ wasmUrl: "file:///graylane.wasm" })],
    ...examples.flatMap((it) => requests(it).map((request) => ["Explained", core.open(it.layers).explain(request)])),
  ];
  // As literals, so that a member that the types do not know is an error as well.
  const lines = values.map(([type, value], index) => `export const value${index}: core.${type} = ${JSON.stringify(value)};`);
  writeFileSync(join(here, "values.ts"), `import type * as core from "@graylane/core";\n${lines.join("\n")}\n`);
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noUnusedLocals: true, noImplicitReturns: true };
  const compile = (...files) => {
    const compilerOptions = { ...strict, noEmit: true, target: "es2022", lib: ["es2022"], module: "nodenext", types: [] };
    writeFileSync(join(here, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    return spawnSync(process.execPath, [TSC, "--project", here], { cwd: here, encoding: "utf8" });
  };
  const { status, stdout } = compile("sample.ts", "values.ts");
  assert.equal(status, 0, stdout);
  writeFileSync(join(here, "wrong.ts"), 'import { open } from "@graylane/core";\nopen([{ name: "a", txt: "" }]);\nopen([]).user(1);\n');
  const wrong = compile("wrong.ts").stdout;
  assert.equal(wrong.match(/error TS/g)?.length, 2, wrong);
});

test("it is as small as its page says", () => {
  const module = readFileSync(join(here, "node_modules/@graylane/core/graylane.wasm"));
  assert.ok(module.length <= 3.6e6 && gzipSync(module).length <= 1.1e6, `${module.length} bytes`);
});

test("a bundle for browsers or apps gets nothing", () => {
  for (const condition of ["browser", "react-native"]) {
    const flags = [`--conditions=${condition}`, "--input-type=module"];
    const run = (code) => spawnSync(process.execPath, [...flags, "--eval", code], { cwd: here, encoding: "utf8" });
    assert.match(run('import { open } from "@graylane/core"').stderr, /does not provide an export named 'open'/);
    assert.match(run('import "@graylane/core"').stderr, /is for servers: with the salt/);
  }
});
