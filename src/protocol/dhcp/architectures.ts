/** What a machine's firmware can run, and how it gets it. */
export interface Architecture {
  readonly name: string;
  /** What a loader has to be made for. */
  readonly platform: Platform;
  /** Whether it gets files by HTTP, named by URIs, and says that it is an `HTTPClient`. */
  readonly isHttp: boolean;
}

/** What loaders are made for. */
export type Platform =
  | 'bios'
  | 'efi-ia32'
  | 'efi-x64'
  | 'efi-ia64'
  | 'efi-arm32'
  | 'efi-arm64'
  | 'efi-riscv32'
  | 'efi-riscv64'
  | 'efi-loongarch64';

/** By option 93. Source: IANA, "Processor Architecture Types" (RFC 5970), as of 2024; 7 is what x64 firmware sends. */
export const architectures: ReadonlyMap<number, Architecture> = new Map(
  (
    [
      [0, 'BIOS', 'bios', false],
      [2, 'IA64 EFI', 'efi-ia64', false],
      [6, 'IA32 EFI', 'efi-ia32', false],
      [7, 'x64 EFI', 'efi-x64', false],
      [9, 'x64 EFI (EBC)', 'efi-x64', false],
      [10, 'ARM32 EFI', 'efi-arm32', false],
      [11, 'ARM64 EFI', 'efi-arm64', false],
      [15, 'IA32 EFI HTTP', 'efi-ia32', true],
      [16, 'x64 EFI HTTP', 'efi-x64', true],
      [17, 'x64 EFI (EBC) HTTP', 'efi-x64', true],
      [18, 'ARM32 EFI HTTP', 'efi-arm32', true],
      [19, 'ARM64 EFI HTTP', 'efi-arm64', true],
      [20, 'BIOS HTTP', 'bios', true],
      [25, 'RISC-V 32 EFI', 'efi-riscv32', false],
      [26, 'RISC-V 32 EFI HTTP', 'efi-riscv32', true],
      [27, 'RISC-V 64 EFI', 'efi-riscv64', false],
      [28, 'RISC-V 64 EFI HTTP', 'efi-riscv64', true],
      [39, 'LoongArch64 EFI', 'efi-loongarch64', false],
      [40, 'LoongArch64 EFI HTTP', 'efi-loongarch64', true],
    ] as const
  ).map(([number, name, platform, isHttp]) => [number, { name, platform, isHttp }]),
);
