// The text of one file, with what was found in it at its place.
import { byId, el, fill } from './dom.js';
import { index, marked, parts } from './highlight.js';

const LETTER = { error: 'E', warning: 'W', note: 'N' };
const ORDER = ['error', 'warning', 'note'];

// Draws the text; `lanes` are the lines that decided about the request, with the tenant's colour.
export function draw(file, findings, lanes) {
  const own = findings.filter((finding) => finding.file === file.name && finding.line);
  const rows = file.text.split('\n');
  const ink = document.createDocumentFragment();
  const gutter = document.createDocumentFragment();
  rows.forEach((row, at) => {
    const number = at + 1;
    const here = own.filter((finding) => finding.line === number);
    const worst = ORDER.find((severity) => here.some((finding) => finding.severity === severity));
    const lane = lanes.get(number) ?? '';
    ink.append(line(row, here, lane));
    const sign = worst ? LETTER[worst] : (lane ? '▸' : '');
    gutter.append(el('div', { class: `${worst ?? ''} ${lane}`.trim() || null }, el('b', {}, sign), String(number)));
  });
  byId('ink').replaceChildren(ink);
  byId('gutter').replaceChildren(gutter);
  const text = byId('text');
  if (text.value !== file.text) text.value = file.text;
}

function line(row, findings, lane) {
  const marks = findings.map((finding) => {
    const from = index(row, finding.column);
    const to = finding.endLine === finding.line ? index(row, finding.endColumn) : row.length;
    // A place without length still has to be seen.
    return to > from ? { from, to, mark: finding.severity } : { from: Math.max(from - 1, 0), to: from + 1, mark: finding.severity };
  });
  const pieces = marked(parts(row), marks).map(({ text, kind, mark }) => {
    const classes = [kind, mark && `at ${mark}`].filter(Boolean).join(' ');
    return classes ? el('span', { class: classes }, text) : text;
  });
  return el('div', { class: lane ? `decides ${lane}` : null }, pieces.length > 0 ? pieces : '\n');
}

// The findings as a list; each leads to its place.
export function list(findings, isOne, jump) {
  // What keeps the file from being used comes first.
  const sorted = ORDER.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
  fill(byId('findings'), sorted.map((finding, at) => {
    const { severity, file, line: number, column } = finding;
    const place = number ? `${isOne ? 'line ' : `${file}:`}${number}:${column}` : '';
    return el('li', { class: severity },
      el('button', { type: 'button', id: `finding-${at}`, disabled: !number, onclick: () => jump(file, number, column) },
        el('b', {}, severity), ' ', el('span', { class: 'place' }, place)),
      el('p', {}, code(finding.message)),
      finding.help ? el('p', { class: 'help' }, 'help: ', code(finding.help)) : null);
  }));
  const count = (severity) => findings.filter((finding) => finding.severity === severity).length;
  const some = (number, word) => (number ? [`${number} ${word}${number === 1 ? '' : 's'}`] : []);
  const all = [...some(count('error'), 'error'), ...some(count('warning'), 'warning'), ...some(count('note'), 'note')];
  const verdict = byId('verdict');
  const words = all.join(', ') || 'No findings';
  if (verdict.textContent !== words) verdict.textContent = words;
  verdict.className = ORDER.find((severity) => count(severity)) ?? 'fine';
}

// What stands between backticks, as code.
export function code(text) {
  return text.split('`').map((part, at) => (at % 2 === 1 ? el('code', {}, part) : part));
}

// Selects a line from a column on, and moves the focus there.
export function select(number, column) {
  const text = byId('text');
  const rows = text.value.split('\n');
  const row = rows[number - 1] ?? '';
  const start = rows.slice(0, number - 1).reduce((sum, one) => sum + one.length + 1, 0);
  const from = column ? index(row, column) : row.length - row.trimStart().length;
  text.focus({ preventScroll: true });
  text.setSelectionRange(start + from, start + row.length);
  const shown = byId('ink').children[number - 1];
  const editor = byId('editor');
  if (shown) editor.scrollTop = shown.offsetTop - editor.clientHeight / 2;
}

// A new line begins where the one before it did.
export function indents(event) {
  if (event.key !== 'Enter' || event.isComposing) return;
  const text = event.target;
  const before = text.value.slice(0, text.selectionStart).split('\n').at(-1);
  const indent = /^ */.exec(before)[0] + (/:\s*$/.test(before) ? '  ' : '');
  event.preventDefault();
  // The only way that `undo` knows of.
  document.execCommand('insertText', false, `\n${indent}`);
}
