// A CI job that shows its ID token instead of a secret: rules of the operator say whose is good (SECURITY.md A9). Pure.

import { generic } from "./generic.js";
import type { Provider } from "./provider.js";

export const oidc: Provider = {
  proof: { kind: "ci-token" },
  delivery: generic.delivery,
  pushes: generic.pushes,
};
