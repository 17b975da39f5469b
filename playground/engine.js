// The library of graylane (`js/`), as WebAssembly in the page.
import { byId } from './dom.js';

export async function start() {
  const packed = Uint8Array.from(atob(byId('wasm').textContent), (one) => one.charCodeAt(0));
  byId('wasm').remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  await wasm_bindgen({ module_or_path: await new Response(stream).arrayBuffer() });
}

// A file as far as it can be used: what was found, and, if none of it is an error, the mesh. Whoever opens one closes it.
export function open(layers, variables) {
  let mesh = null;
  let findings = [];
  try {
    mesh = wasm_bindgen.open(layers, { variables });
    findings = mesh.findings;
  } catch (error) {
    // A file without any text has no finding, and no mesh.
    findings = error.findings ?? [];
  }
  let isClosed = false;
  const close = () => {
    if (!isClosed) mesh?.free();
    isClosed = true;
  };
  return { findings, mesh, outline: mesh?.outline() ?? null, close };
}
