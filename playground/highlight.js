// A line of YAML in parts. Only what helps to read: keys, texts, numbers, comments.

const PART = /(#.*$)|("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?)|([A-Za-z0-9_.$\/-]+)(?=\s*:(?:\s|$))|(-?\d+(?:\.\d+)?%?)(?![\w.-])|(\$\{[^}]*\}?)|([A-Za-z_$][\w.$\/:-]*)|([{}[\],:]|- )/g;
const KINDS = ['comment', 'string', 'key', 'number', 'variable', 'word', 'mark'];

export function parts(line) {
  const result = [];
  let end = 0;
  for (const found of line.matchAll(PART)) {
    // `#` begins a comment only at the start or behind a space.
    if (found[1] && found.index > 0 && !/\s/.test(line[found.index - 1])) continue;
    if (found.index > end) result.push({ text: line.slice(end, found.index), kind: '' });
    const kind = KINDS[found.slice(1).findIndex((group) => group !== undefined)];
    result.push({ text: found[0], kind: kind === 'word' || kind === 'mark' ? '' : kind });
    end = found.index + found[0].length;
  }
  if (end < line.length) result.push({ text: line.slice(end), kind: '' });
  return result;
}

// The parts with a mark over some of them: `from` and `to` count UTF-16 units, as strings of JavaScript do.
export function marked(list, marks) {
  let result = list;
  for (const { from, to, mark } of marks) {
    let at = 0;
    result = result.flatMap((part) => {
      const begin = at;
      at += part.text.length;
      const [a, b] = [Math.max(from - begin, 0), Math.min(to - begin, part.text.length)];
      if (a >= b) return [part];
      const cut = (start, end, more) => (start < end ? [{ ...part, ...more, text: part.text.slice(start, end) }] : []);
      return [...cut(0, a, {}), ...cut(a, b, { mark: part.mark ?? mark }), ...cut(b, part.text.length, {})];
    });
  }
  return result;
}

// A column in characters, from 1, as an index into a string.
export function index(line, column) {
  return [...line].slice(0, column - 1).join('').length;
}
