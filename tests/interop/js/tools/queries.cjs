// Prisma's client over its adapter for D1, through the shim. Arguments: an account, a database, a token.
// Run in the folder that `prisma generate` wrote `generated` into. Writes what came back as JSON.
const path = require("node:path");
const { createRequire } = require("node:module");
const here = createRequire(path.join(process.cwd(), "package.json"));
const { PrismaD1 } = here("@prisma/adapter-d1");
const { PrismaClient } = here("./generated");

const [CLOUDFLARE_ACCOUNT_ID, CLOUDFLARE_DATABASE_ID, CLOUDFLARE_D1_TOKEN] = process.argv.slice(2);
const adapter = new PrismaD1({ CLOUDFLARE_ACCOUNT_ID, CLOUDFLARE_DATABASE_ID, CLOUDFLARE_D1_TOKEN });
const prisma = new PrismaClient({ adapter });

async function main() {
  const told = {};
  const at = new Date("2026-05-01T19:00:00.000Z");
  const post = { title: "first", score: 1.5, live: true, at, raw: Buffer.from([0, 255]), big: 5000000000n };
  const ann = await prisma.user.create({ data: { email: "ann@shop.example", posts: { create: [post, { title: "second" }] } } });
  await prisma.user.createMany({ data: [{ email: "ben@shop.example" }, { email: "cleo@shop.example" }] });
  const found = await prisma.user.findUnique({ where: { email: "ann@shop.example" }, include: { posts: { orderBy: { title: "asc" } } } });
  const first = found.posts[0];
  told.first = [first.title, first.score, first.live, first.at.toISOString(), [...first.raw], first.big.toString()];
  told.counted = await prisma.post.count({ where: { user: { email: { contains: "ann" } } } });
  told.updated = (await prisma.post.update({ where: { id: first.id }, data: { title: "new", user: { connect: { id: 2 } } } })).userId;
  told.upserted = (await prisma.user.upsert({ where: { email: "ben@shop.example" }, create: { email: "x" }, update: { email: "b@shop.example" } })).email;
  told.pages = (await prisma.user.findMany({ orderBy: { id: "desc" }, skip: 1, take: 1 })).map((user) => user.id);
  told.grouped = await prisma.post.groupBy({ by: ["userId"], _count: true, orderBy: { userId: "asc" } });
  told.sums = (await prisma.post.aggregate({ _sum: { score: true } }))._sum.score;
  told.duplicate = await prisma.user.create({ data: { email: "ann@shop.example" } }).catch((error) => error.code);
  told.missing = await prisma.user.delete({ where: { id: 99 } }).catch((error) => error.code);
  told.dangling = await prisma.post.create({ data: { title: "x", userId: 99 } }).catch((error) => error.code);
  told.both = (await prisma.$transaction([prisma.user.count(), prisma.post.count()])).join();
  told.raw = await prisma.$queryRaw`SELECT email FROM "User" WHERE id = ${ann.id}`;
  told.executed = await prisma.$executeRaw`UPDATE "Post" SET live = true`;
  await prisma.user.delete({ where: { id: ann.id } });
  told.left = await prisma.post.count();
  console.log(JSON.stringify(told));
  await prisma.$disconnect();
}

main();
