import { type InstalledPackage, mostPackages } from '../packages/installed-package.ts';
import type { RegistryHive } from './registry-hive.ts';
import { numberValue, type RegistryValue, textValue } from './registry-value.ts';

/** Where installers note what they have installed; the second is that of 32-bit programs. */
const keys = [
  'Microsoft\\Windows\\CurrentVersion\\Uninstall',
  'Wow6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall',
];

/** The programs that Windows lists as installed, for all of its users. */
export async function windowsPrograms(hive: RegistryHive): Promise<InstalledPackage[]> {
  const programs: InstalledPackage[] = [];
  for (const path of keys) {
    const key = await hive.find(path);
    if (key === undefined) continue;
    for await (const { name, ...rest } of hive.subkeys(key)) {
      if (programs.length === mostPackages) return programs;
      const values = await hive.values({ name, ...rest });
      const displayName = textValue(values.get('displayname'));
      // Without a name, or as a part of Windows, it is not listed.
      if (displayName === undefined || numberValue(values.get('systemcomponent')) === 1) continue;
      programs.push(programOf(name, displayName, values, { path: hive.path, record: `${path}\\${name}` }));
    }
  }
  return programs;
}

function programOf(
  name: string,
  displayName: string,
  values: ReadonlyMap<string, RegistryValue>,
  source: InstalledPackage['source'],
): InstalledPackage {
  const version = textValue(values.get('displayversion')) ?? '';
  const kibibytes = numberValue(values.get('estimatedsize'));
  return {
    ...{ format: 'windows', name, displayName, fullVersion: version, version, state: 'installed' },
    size: kibibytes === undefined ? undefined : kibibytes * 1024,
    installed: dayOf(textValue(values.get('installdate'))),
    ...{ vendor: textValue(values.get('publisher')), url: textValue(values.get('urlinfoabout')) },
    ...{ summary: textValue(values.get('comments')), source },
  };
}

/** `20240131`, as seconds since 1970. */
function dayOf(text: string | undefined): number | undefined {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(text ?? '') ?? [];
  const time = year === undefined ? Number.NaN : Date.UTC(Number(year), Number(month) - 1, Number(day));
  return Number.isNaN(time) ? undefined : time / 1000;
}
