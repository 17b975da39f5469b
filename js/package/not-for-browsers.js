// A file of graylane has salts. Whoever has a salt can choose the side of a rollout that they are on, and read sequential
// user ids out of units, so nothing is exported here: a bundle for browsers or apps does not get as far as shipping one.
throw new Error(
  "@graylane/core is for servers: with the salt of a rollout, users can choose their side of it. Let a server decide, or use `graylane client`",
);

// A module without names: bundlers refuse an import of one.
export {};
