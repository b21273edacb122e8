import { dashedMac } from '../../bytes/hardware-address.ts';
import { type BootPlan, loaderFor } from '../../protocol/dhcp/boot-options.ts';
import type { DhcpClient } from '../../protocol/dhcp/client.ts';
import { parseIpv4 } from '../../protocol/dhcp/ipv4.ts';
import { targetName } from '../iscsi/targets.ts';
import type { FoundLoaders } from './loaders/find-loaders.ts';
import { menuName, urlOf } from './menus/menu-names.ts';
import { initiatorName, iscsiRootPath } from './menus/root-place.ts';
import type { Entry, MachineSettings } from './room/room.ts';
import { httpOf, type ServerPlace } from './server-place.ts';
import type { Silence } from './trace/dhcp-steps.ts';

/** What DHCP tells a client to start: iPXE its script, or its disk alone, firmware a loader, systems nothing. */
export function bootPlanFor(
  client: DhcpClient,
  settings: MachineSettings,
  place: ServerPlace,
  loaders: FoundLoaders,
): BootPlan | undefined {
  const serverAddress = parseIpv4(place.address);
  const { hardwareAddress: mac } = client;
  if (client.isIpxe && !isOther(loaderOf(client, loaders))) {
    const common = { serverAddress, initiatorName: initiatorName(mac) };
    if (scriptlessEntry(settings) === undefined) return { ...common, fileName: urlOf(httpOf(place), menuName(mac)) };
    const target = targetName(dashedMac(mac));
    return {
      ...common,
      fileName: '',
      rootPath: iscsiRootPath({ address: place.address, port: place.ports.iscsi, target }),
    };
  }
  const loader = loaderOf(client, loaders);
  if (loader === undefined) return undefined;
  if (client.wants === 'http') return { serverAddress, fileName: urlOf(httpOf(place), `loader/${loader}`) };
  const pxelinux = { configurationFile: `pxelinux.cfg/01-${dashedMac(mac)}`, pathPrefix: `tftp://${place.address}/` };
  return { serverAddress, fileName: loader, ...(isOther(loader) ? pxelinux : {}) };
}

/** The entry that a machine boots by its disk's root path alone, whose boot begins when DHCP tells it. */
export function scriptlessEntry({ entries, hasMenu }: MachineSettings): Entry | undefined {
  const [entry] = entries;
  return !hasMenu && entry?.hasScript === false ? entry : undefined;
}

/** Whether a loader is none of iPXE: where the room names one, iPXE in a machine's ROM gets it, too. */
function isOther(loader: string | undefined): boolean {
  return loader !== undefined && /^(?:[a-z0-9-]+-)?l?pxelinux\.0$|^shim/.test(loader);
}

/** Why a client is told nothing of what to start; undefined where nothing is wrong. */
export function silenceFor(client: DhcpClient, loaders: FoundLoaders): Silence | undefined {
  if (client.wants === 'address' || client.isIpxe || loaderOf(client, loaders) !== undefined) return undefined;
  return { reason: 'noLoader' };
}

function loaderOf(client: DhcpClient, { http, pxe }: FoundLoaders): string | undefined {
  return client.wants === 'address' ? undefined : loaderFor(client, client.wants === 'http' ? http : pxe);
}
