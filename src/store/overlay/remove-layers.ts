import { isVarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import type { StoreParts } from '../store-parts.ts';
import { removeOverlayFiles } from './overlay-files.ts';
import type { Layer } from './overlay-table.ts';

/** Forgets layers; inside a transaction, after which `removeLayerFiles` deletes what they held. */
export function dropLayers(parts: StoreParts, layers: readonly Layer[]): readonly Layer[] {
  for (const { id } of layers) parts.overlays.delete(id);
  return layers;
}

/**
 * Deletes the files of layers that were forgotten. What it was about is done by then: files that a crash leaves, or that cannot
 * be deleted, garbage collection deletes.
 */
export function removeLayerFiles(parts: StoreParts, layers: readonly Layer[]): void {
  for (const { id } of layers) {
    try {
      removeOverlayFiles(parts.path, id);
    } catch (error) {
      if (!isVarveError(error)) throw error;
      log(1, 'left to garbage collection: %s', error.message);
    }
  }
}
