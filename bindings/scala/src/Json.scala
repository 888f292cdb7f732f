// SPDX-License-Identifier: Apache-2.0
package org.flexor

/** A value of a JSON document. */
private[flexor] final class Json private (value: Any) {
  private def wrong(what: String): FormatException = new FormatException(s"[json] $what was expected")
  def apply(key: String): Json = get(key).getOrElse(throw wrong(s"the key `$key`"))
  def get(key: String): Option[Json] = value match { case m: Map[_, _] => m.asInstanceOf[Map[String, Json]].get(key); case _ => None }
  def apply(index: Int): Json = list.lift(index).getOrElse(throw wrong(s"element $index"))
  def list: Vector[Json] = value match { case v: Vector[_] => v.asInstanceOf[Vector[Json]]; case _ => throw wrong("a list") }
  def int: Int = value match { case d: Double => d.toInt; case _ => throw wrong("a number") }
  /** A text, or a number as it is written. */
  def text: String = value match { case t: String => t; case d: Double if d == d.toLong => d.toLong.toString; case v => String.valueOf(v) }
}

private[flexor] object Json {
  /** Texts as a list. */
  def text(texts: Seq[String]): String = texts.map { t =>
    t.map {
      case '"'          => "\\\""
      case '\\'         => "\\\\"
      case c if c < ' ' => "\\u%04x".format(c.toInt)
      case c            => c.toString
    }.mkString("\"", "", "\"")
  }.mkString("[", ", ", "]")

  def texts(json: String): Vector[String] = parse(json).list.map(_.text)

  def parse(json: String): Json = {
    var i = 0
    def wrong: FormatException = new FormatException(s"[json] the document is wrong at $i", "", "", "", "", "", i.toString)
    def blank(): Unit = while (i < json.length && json(i).isWhitespace) i += 1
    def here: Char = { blank(); if (i < json.length) json(i) else throw wrong }
    def take(c: Char): Unit = if (here == c) i += 1 else throw wrong
    def several[A](close: Char)(one: => A): Vector[A] = {
      val out = Vector.newBuilder[A]
      i += 1
      if (here != close) { out += one; while (here == ',') { i += 1; out += one } }
      take(close)
      out.result()
    }
    def string(): String = {
      take('"')
      val text = new StringBuilder
      while (i < json.length && json(i) != '"') {
        if (json(i) == '\\') {
          i += 1
          if (i >= json.length) throw wrong
          json(i) match {
            case 'n' => text += '\n'
            case 't' => text += '\t'
            case 'r' => text += '\r'
            case 'b' => text += '\b'
            case 'f' => text += '\f'
            case 'u' =>
              if (i + 4 >= json.length) throw wrong
              text += Integer.parseInt(json.substring(i + 1, i + 5), 16).toChar
              i += 4
            case c   => text += c
          }
        } else text += json(i)
        i += 1
      }
      take('"')
      text.toString
    }
    def value(): Json = new Json(here match {
      case '{' => several('}') { val key = string(); take(':'); key -> value() }.toMap
      case '[' => several(']')(value())
      case '"' => string()
      case _ =>
        val word = json.substring(i).takeWhile(c => c.isLetterOrDigit || "+-.".indexOf(c) >= 0)
        if (word.isEmpty) throw wrong
        i += word.length
        word match {
          case "true"  => true
          case "false" => false
          case "null"  => null
          case number  => try number.toDouble catch { case _: NumberFormatException => throw wrong }
        }
    })
    val out = value()
    blank()
    if (i != json.length) throw wrong
    out
  }
}
