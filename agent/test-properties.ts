// Properties of random values: few and always the same where everybody waits for them, many and new ones in `npm run test:long`.
// So nobody's change is held up by what another one broke long ago; who finds a case writes it down as a test of its own.
import fc from "fast-check";

const isLong = process.env.WRKST_TEST_LONG !== undefined;
fc.configureGlobal(isLong ? {} : { seed: 20_261_123 });

/** How many of `most` runs to do now. */
export const runs = (most: number): number => (isLong ? most : Math.ceil(most / 5));

export { fc };
