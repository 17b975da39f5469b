// Two texts line by line: what stays, what goes, what comes.

// Lines on each side that are compared one by one; beyond it, all of one side goes and all of the other comes.
const MOST = 2000;

export function lines(before, after) {
  const [a, b] = [before, after].map((text) => (text === '' ? [] : text.replace(/\n$/, '').split('\n')));
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const same = (list) => list.map((text) => ({ sign: ' ', text }));
  const middle = between(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...same(a.slice(0, start)), ...middle, ...same(a.slice(a.length - end))];
}

// By the longest common subsequence.
function between(a, b) {
  const gone = (text) => ({ sign: '-', text });
  const come = (text) => ({ sign: '+', text });
  if (a.length > MOST || b.length > MOST) return [...a.map(gone), ...b.map(come)];
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      length[i * width + j] = a[i] === b[j]
        ? length[(i + 1) * width + j + 1] + 1
        : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  const result = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      result.push({ sign: ' ', text: a[i] });
      i += 1;
      j += 1;
    } else if (j === b.length || (i < a.length && length[(i + 1) * width + j] >= length[i * width + j + 1])) {
      result.push(gone(a[i]));
      i += 1;
    } else {
      result.push(come(b[j]));
      j += 1;
    }
  }
  return result;
}

// Only changed lines, with so many around them; null stands for lines that are left out.
export function around(all, context) {
  const near = new Set();
  all.forEach((line, at) => {
    if (line.sign === ' ') return;
    for (let index = at - context; index <= at + context; index += 1) near.add(index);
  });
  const result = [];
  all.forEach((line, at) => {
    if (near.has(at)) result.push(line);
    else if (result.at(-1) !== null) result.push(null);
  });
  return result;
}
