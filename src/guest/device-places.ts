import type { BlockDevice } from '../block/block-device.ts';
import { MappedDevice } from '../volume/mapped-device.ts';
import type { PlacesOnDisk, VolumePlace } from './guest-volume.ts';

/** Knows where on a disk the bytes of devices inside of it are. */
export class DevicePlaces {
  readonly #known = new Map<BlockDevice, PlacesOnDisk>();

  /** A device is the part of the disk that starts at `offset`. */
  addPart(device: BlockDevice, offset: number): void {
    this.#known.set(device, (start, length) => [{ start, length, place: offset + start }]);
  }

  /** The bytes of `inner` are, encrypted, those of `outer` from `offset` on. */
  addInner(inner: BlockDevice, outer: BlockDevice, offset: number): void {
    const places = this.of(outer);
    if (places !== undefined) this.#known.set(inner, (start, length) => moved(places(start + offset, length), -offset));
  }

  /** Undefined for a device of which that is not known. */
  of(device: BlockDevice): PlacesOnDisk | undefined {
    const known = this.#known.get(device);
    if (known !== undefined || !(device instanceof MappedDevice)) return known;
    const below = new Map(device.devices().map((each) => [each, this.of(each)]));
    if ([...below.values()].includes(undefined)) return undefined;
    const places: PlacesOnDisk = (offset, length) => placesOf(device, below, offset, length);
    this.#known.set(device, places);
    return places;
  }
}

function* placesOf(
  device: MappedDevice,
  below: ReadonlyMap<BlockDevice, PlacesOnDisk | undefined>,
  offset: number,
  length: number,
): Generator<VolumePlace, undefined> {
  for (const piece of device.pieces(offset, length)) {
    const { length: pieceLength, place, start } = piece;
    if (place === undefined) yield { start, length: pieceLength, place: undefined };
    else yield* moved(below.get(place.device)!(place.offset, pieceLength), start - place.offset);
  }
}

function* moved(places: Iterable<VolumePlace>, by: number): Generator<VolumePlace, undefined> {
  for (const { length, place, start } of places) yield { start: start + by, length, place };
}
