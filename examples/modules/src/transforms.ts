// What the function can do with a text, by the name that stands in the URL.

export const transforms = new Map<string, (text: string) => string>([
  ["reverse", (text) => [...text].reverse().join("")],
  ["shout", (text) => `${text.toUpperCase()}!`],
  ["slug", (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-")],
]);
