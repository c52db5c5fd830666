import { blob, index, integer, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

export const users = sqliteTable(
  "users",
  { id: integer("id").primaryKey({ autoIncrement: true }), email: text("email").notNull(), age: real("age") },
  (table) => [uniqueIndex("users_email").on(table.email)],
);
export const posts = sqliteTable(
  "posts",
  {
    id: text("id").primaryKey(),
    userId: integer("user_id").notNull().references(() => users.id, { onDelete: "cascade" }),
    body: text("body").default("x"),
    raw: blob("raw"),
  },
  (table) => [index("posts_user").on(table.userId)],
);
