/** One rule of the protocol, broken on purpose. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** What stands in the file, exactly once. */
  readonly from: string
  readonly to: string
}

export const MUTANTS: readonly Mutant[]
