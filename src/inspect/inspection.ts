import type { MountedVolume } from '../guest/open-guest.ts';
import type { Fact, InspectionWarning } from './fact.ts';
import type { Network } from './network/network.ts';
import type { InstalledPackage } from './packages/installed-package.ts';
import type { Service } from './services/service.ts';
import type { Timer } from './services/timers.ts';
import type { Bootloader } from './system/bootloaders.ts';
import type { Kernel } from './system/kernels.ts';
import type { OperatingSystem } from './system/operating-system.ts';
import type { PackageManagement } from './system/package-manager.ts';
import type { User } from './system/users.ts';

/** What is known of a guest from the files on its disk. */
export interface Inspection extends Partial<OperatingSystem> {
  /** `x86_64`, `aarch64`. */
  readonly architecture?: Fact<string> | undefined;
  readonly hostname?: Fact<string> | undefined;
  readonly machineId?: Fact<string> | undefined;
  readonly timezone?: Fact<string> | undefined;
  readonly locale?: Fact<string> | undefined;
  readonly packageManagement: PackageManagement;
  /** What the disk holds, and where of it the system mounts what. */
  readonly volumes: readonly MountedVolume[];
  readonly kernels: readonly Kernel[];
  readonly bootloaders: readonly Bootloader[];
  readonly users: readonly User[];
  readonly services: readonly Service[];
  readonly timers: readonly Timer[];
  readonly network: Network;
  readonly packages: readonly InstalledPackage[];
  /** What could not be found out, and why. */
  readonly warnings: readonly InspectionWarning[];
}
