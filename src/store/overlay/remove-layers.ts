import type { StoreParts } from '../store-parts.ts';
import { removeOverlayFiles } from './overlay-files.ts';
import type { Layer } from './overlay-table.ts';

/** Forgets layers; inside a transaction, after which `removeLayerFiles` deletes what they held. */
export function dropLayers(parts: StoreParts, layers: readonly Layer[]): readonly Layer[] {
  for (const { id } of layers) parts.overlays.delete(id);
  return layers;
}

/** Deletes the files of layers that were forgotten; what a crash leaves, garbage collection deletes. */
export function removeLayerFiles(parts: StoreParts, layers: readonly Layer[]): void {
  for (const { id } of layers) removeOverlayFiles(parts.path, id);
}
