// Tells TypeScript what the bundler makes of these imports.

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
