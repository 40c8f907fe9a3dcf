// Tells TypeScript what the bundler makes of these imports.

declare module "*.html" {
  const text: string;
  export default text;
}

declare module "*.css" {
  const text: string;
  export default text;
}

declare module "*.png" {
  const data: ArrayBuffer;
  export default data;
}
