// The front of the artifact stage: bytes of a bundle, their names, their place on disk.

export { type ArtifactStore, openArtifactStore } from "./artifact-store.js";
export {
  type ArtifactContent,
  decodeArtifact,
  decodeSourceMaps,
  encodeArtifact,
  encodeSourceMaps,
} from "./format.js";
export { canonicalJson, digestOf, type VersionIdentity, versionId } from "./identity.js";
export { createPositionMapper, type MappedMessage, mapErrorPositions } from "./positions.js";
