/** In what sectors are numbered, whatever their own length is, in bytes. Source: LUKS2 On-Disk Format, section 3.3. */
export const sectorUnit = 512;
