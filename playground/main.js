// The page: its state, and what is drawn again when it changes.
import { asked, command, first, fitting } from './ask.js';
import { byId, copy, el, later, options, say } from './dom.js';
import * as editor from './editor.js';
import * as engine from './engine.js';
import * as form from './form.js';
import { index } from './highlight.js';
import * as lane from './lane.js';
import * as link from './link.js';
import * as resources from './resources.js';
import * as tabs from './tabs.js';
import * as weights from './weights.js';

const given = JSON.parse(byId('given').textContent);
const examples = JSON.parse(byId('examples').textContent);

// What a link holds.
let state;
// What the state was as the page was loaded: then there is nothing to put into a link.
let pristine = '';
// The file as it is, as it last was without errors, and as it was loaded.
let now, good, was;
let hops = [];
// Which file is shown.
let shown = 0;
let onlyChanges = false;
// The panels of rollouts by their names, built once for the same names.
let rollouts = { names: '', panels: [] };

const all = () => state.layers.flat();
const file = () => all()[shown] ?? all()[0];
const close = (opened) => { if (opened && opened !== was && opened !== good) opened.close(); };

// A page that begins with this file.
function begin(source) {
  const layers = source.layers;
  return { layers, was: structuredClone(layers), variables: source.variables ?? {}, tab: 'request', image: '', request: null };
}

function load(next) {
  state = next;
  shown = 0;
  for (const opened of new Set([now, good, was])) opened?.close();
  [now, good] = [null, null];
  was = engine.open(state.was, state.variables);
  // Nothing of the file before stays, if this one has errors.
  for (const id of ['request', 'lane', 'panel-weights', 'panel-resources', 'badge']) byId(id).replaceChildren();
  delete byId('request').dataset.outline;
  rollouts = { names: '', panels: [] };
  fileButtons();
  tabs.show(state.tab);
  checked();
  pristine = state.request ? pristine : '';
}

// The text changed: everything is asked again. How long that takes is for tests to see.
function checked() {
  const begun = performance.now();
  const before = now;
  now = engine.open(state.layers, state.variables);
  if (now.mesh) {
    const last = good;
    good = now;
    close(last);
    state.request = state.request ? fitting(state.request, good.outline) : first(good.outline);
    if (state.request.path.length === 0) state.request = { ...state.request, path: first(good.outline).path };
  }
  close(before);
  document.body.classList.toggle('broken', !now.mesh);
  byId('stale').textContent = good ? 'The file has errors. Below is what it did when it last had none.' : 'The file has errors. What it does is shown when they are gone.';
  editor.list(now.findings, all().length === 1, jump);
  if (good) byId('request').dataset.outline === JSON.stringify(good.outline) || drawForm();
  explained();
  panels();
  performance.measure('checked', { start: begun });
}

function drawForm() {
  byId('request').dataset.outline = JSON.stringify(good.outline);
  form.draw(byId('request'), state.request, good.outline, (part) => {
    const redraw = ['from', 'path'].some((key) => key in part);
    state.request = { ...state.request, ...part };
    if (redraw) drawForm();
    explained();
    remember();
  });
}

function explained() {
  hops = [];
  byId('lane').dataset.hops = '[]';
  if (!good) {
    byId('lane').replaceChildren();
  } else {
    const opened = good;
    try {
      const question = asked(state.request, opened.outline);
      const explanation = opened.mesh.explain(question);
      hops = explanation.hops;
      byId('lane').dataset.hops = JSON.stringify(hops);
      lane.draw(byId('lane'), explanation, {
        request: state.request, outline: opened.outline, isOne: all().length === 1, command: command(question, state.layers), jump,
        isEdited: JSON.stringify(state.layers) !== JSON.stringify(state.was),
        line: (name, number) => all().find((one) => one.name === name)?.text.split('\n')[number - 1] ?? '',
      });
    } catch (error) {
      lane.failed(byId('lane'), error.message);
    }
  }
  drawText();
}

function drawText() {
  // Lines of an older text would be the wrong ones.
  const lanes = now.mesh && state.tab === 'request' ? lane.decided(hops, good.outline) : new Map();
  editor.draw(file(), now.findings, lanes.get(file().name) ?? new Map());
}

function panels() {
  if (!good) return;
  drawWeights();
  drawResources();
}

function drawWeights() {
  const services = good.outline.services.filter((service) => service.rollout?.weights.length > 0);
  const names = JSON.stringify(services.map(({ name, rollout }) => [name, rollout.salt, rollout.weights.map((one) => one.subset)]));
  const page = { weigh, editable, layers: state.layers };
  const panel = byId('panel-weights');
  if (rollouts.names !== names) {
    rollouts = { names, panels: services.map((service) => weights.build(page, service)) };
    panel.replaceChildren(...rollouts.panels.map((one) => one.element));
    if (services.length === 0) panel.append(el('p', { class: 'quiet' }, 'No service of the file has a rollout with weights.'));
  }
  if (panel.hidden) return;
  for (const one of rollouts.panels) one.update(good, was);
}

function drawResources() {
  let rows = [];
  let problem = '';
  try {
    rows = resources.compare(good, was, state.image);
  } catch (error) {
    problem = error.message;
  }
  const some = resources.changes(rows);
  byId('badge').textContent = some ? `${some} changed` : '';
  if (byId('panel-resources').hidden) return;
  resources.draw(byId('panel-resources'), rows, {
    onlyChanges, image: state.image, problem,
    only: (tick) => { onlyChanges = tick; drawResources(); },
    imaged: (image) => { state.image = image; drawResources(); remember(); },
  });
}

// Is this number written in one of the files, as a number?
function editable(place) {
  const row = place && all().find((one) => one.name === place.file)?.text.split('\n')[place.line - 1];
  return Boolean(row) && place.line === place.endLine && /^\d+(\.\d+)?$/.test(row.slice(index(row, place.column), index(row, place.endColumn)));
}

// Writes a weight into the file.
function weigh(service, subset, text) {
  const percent = Math.round(Number(text) * 100) / 100;
  if (!now.mesh || text === '' || !(percent >= 0 && percent <= 100)) return;
  const canary = now.outline.services.find((one) => one.name === service)?.rollout?.weights.find((one) => one.subset === subset);
  if (!canary || !editable(canary.place)) return;
  const { file: name, line, column, endColumn } = canary.place;
  const target = all().find((one) => one.name === name);
  const rows = target.text.split('\n');
  const row = rows[line - 1];
  rows[line - 1] = row.slice(0, index(row, column)) + percent + row.slice(index(row, endColumn));
  target.text = rows.join('\n');
  checked();
  remember();
}

function jump(name, number, column) {
  const at = all().findIndex((one) => one.name === name);
  if (at < 0) return;
  if (at !== shown) showFile(at);
  editor.select(number, column);
}

function showFile(at) {
  shown = at;
  fileButtons();
  drawText();
}

function fileButtons() {
  byId('files').replaceChildren(...all().map((one, at) => el('button', {
    type: 'button', class: 'small', id: `file-${at}`, 'aria-pressed': String(at === shown), onclick: () => { showFile(at); byId(`file-${at}`).focus(); },
  }, one.name)));
}

// Into the address, so that a reload, or somebody else, gets the same. Without a change the address stays bare, and a
// reload reads the files again.
const remember = later(async () => {
  const text = JSON.stringify(state);
  history.replaceState(null, '', text === pristine ? location.href.split('#')[0] : await link.written(state));
}, 300);

function listen() {
  const text = byId('text');
  text.addEventListener('input', () => {
    file().text = text.value;
    // The text first: it must not lag behind the keys.
    drawText();
    recheck();
    remember();
  });
  text.addEventListener('keydown', editor.indents);
  tabs.listen((name) => {
    state.tab = name;
    tabs.show(name);
    drawText();
    panels();
    remember();
  });
  byId('reset').addEventListener('click', () => {
    load({ ...begin({ layers: structuredClone(state.was), variables: state.variables }), tab: state.tab });
    pristine = JSON.stringify(state);
    remember();
    say('As it was loaded.');
  });
  byId('share').addEventListener('click', async () => {
    const address = location.href.split('#')[0] + await link.written(state);
    await copy(address, 'Link');
    if (location.protocol === 'file:') say('Link copied. It opens this page on this machine.');
    if (location.hostname === '127.0.0.1') say('Link copied. It works on this machine, while `graylane playground` runs.');
  });
  const starts = [...(given ? [given] : []), ...examples];
  options(byId('example'), starts.map((one, at) => [String(at), one.title]), '0');
  byId('example').addEventListener('change', (event) => {
    load({ ...begin(structuredClone(starts[Number(event.target.value)])), tab: state.tab });
    pristine = JSON.stringify(state);
    remember();
  });
  byId('copy-file').addEventListener('click', () => void copy(file().text, 'File'));
  byId('request').addEventListener('submit', (event) => event.preventDefault());
  window.addEventListener('hashchange', () => void opened());
}

const recheck = later(checked, 40);

// What the address holds, or what the page was made with.
async function opened() {
  let linked = null;
  try {
    linked = await link.read(location.hash);
  } catch {
    say('This link cannot be read: it is cut off, or of another version. This is the file that the page came with.');
  }
  const source = structuredClone(given ?? examples[0]);
  load(begin(source));
  pristine = JSON.stringify(state);
  if (linked) load(linked);
}

async function main() {
  try {
    await engine.start();
  } catch (error) {
    say(`This browser cannot run the playground: ${error.message}`);
    return;
  }
  listen();
  await opened();
  document.body.dataset.ready = 'true';
}

void main();
