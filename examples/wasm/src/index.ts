// WebAssembly. Importing a .wasm file gives a WebAssembly.Module, compiled when the function is loaded, not per request.
//
//   curl http://wasm.localhost:8080/90

import module from "./fibonacci.wasm";

// One instance serves all requests: the code keeps nothing between calls.
const { exports } = new WebAssembly.Instance(module);
const fibonacci = exports.fibonacci as (n: number) => bigint;

// Number 93 is the last one that fits into 64 bits without sign.
const LAST = 93;

export default {
  async fetch(request) {
    const asked = new URL(request.url).pathname.slice(1) || "10";
    const n = Number(asked);
    if (!/^\d+$/.test(asked) || n > LAST) {
      return new Response(`Ask for a number from 0 to ${LAST}, for example /10\n`, { status: 400 });
    }
    return new Response(`${BigInt.asUintN(64, fibonacci(n))}\n`);
  },
} satisfies ExportedHandler;
