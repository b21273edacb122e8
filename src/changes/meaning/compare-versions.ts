/**
 * How two versions of a package stand to each other, as Debian counts: under 0 where `a` is the older one. Those of rpm, apk
 * and pacman come out the same, but for rare suffixes.
 *
 * Source: Debian Policy Manual, 5.6.12 "Version".
 */
export function compareVersions(a: string, b: string): number {
  const [partsA, partsB] = [partsOf(a), partsOf(b)];
  return (
    partsA.epoch - partsB.epoch ||
    compareParts(partsA.upstream, partsB.upstream) ||
    compareParts(partsA.revision, partsB.revision)
  );
}

function partsOf(version: string): { readonly epoch: number; readonly upstream: string; readonly revision: string } {
  const [, epoch = '0', rest = version] = /^(\d+):(.*)$/s.exec(version) ?? [];
  const dash = rest.lastIndexOf('-');
  const upstream = dash < 0 ? rest : rest.slice(0, dash);
  return { epoch: Number(epoch), upstream, revision: dash < 0 ? '' : rest.slice(dash + 1) };
}

/** Text and numbers in turns. */
function compareParts(a: string, b: string): number {
  const [listA, listB] = [turnsOf(a), turnsOf(b)];
  for (let index = 0; index < Math.max(listA.length, listB.length); index++) {
    const [partA = '', partB = ''] = [listA[index], listB[index]];
    const order = index % 2 === 0 ? compareText(partA, partB) : compareNumbers(partA, partB);
    if (order !== 0) return order;
  }
  return 0;
}

/** Text first, be it none. */
function turnsOf(part: string): string[] {
  const turns = part.match(/\D+|\d+/g) ?? [];
  return /^\d/.test(part) ? ['', ...turns] : turns;
}

/** A tilde comes before the end, letters before everything else. */
function compareText(a: string, b: string): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const order = rankOf(a[index]) - rankOf(b[index]);
    if (order !== 0) return order;
  }
  return 0;
}

function rankOf(character: string | undefined): number {
  if (character === undefined) return 0;
  if (character === '~') return -1;
  return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 256;
}

/** Of any length. */
function compareNumbers(a: string, b: string): number {
  const [numberA, numberB] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  if (numberA.length !== numberB.length) return numberA.length - numberB.length;
  return numberA < numberB ? -1 : Number(numberA > numberB);
}
