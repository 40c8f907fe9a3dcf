// The `workerd` package has no types of its own; as CommonJS, its exports arrive under the default import.
declare module "workerd" {
  const workerd: { default: string; version: string; compatibilityDate: string };
  export default workerd;
}
